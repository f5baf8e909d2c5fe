package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/kycbridge/kycbridge/bench/gauge"
	"github.com/kycbridge/kycbridge/schemas"
)

// drain is what one process took to bring a backlog behind it.
type drain struct {
	cpu  float64 // µs per raw record
	rate float64 // raw records per second
	peak float64 // MB resident at most
}

// defaultSlots is the product's, which the floor gets as well.
const defaultSlots = 1

// normalize drains equal backlogs with the floor and the product in turn.
func normalize(ctx context.Context, w *world, s size, r *report) error {
	m, err := newMix("complycube")
	if err != nil {
		return err
	}
	var product, floor []drain
	for n := range s.rounds {
		w.say("normalize: round %d of %d", n+1, s.rounds)
		d := w.deploy()
		if err := d.prepare(ctx, m, s.records); err != nil {
			return err
		}
		f, err := d.drainFloor(ctx, s.records)
		if err != nil {
			return err
		}
		p, err := d.drainProduct(ctx, s.records)
		if err != nil {
			return err
		}
		product, floor = append(product, p), append(floor, f)
	}
	compare := func(name, unit string, of func(drain) float64, g goal) {
		r.compare("normalize", name, unit, column(product, of), column(floor, of), g)
	}
	compare("CPU per raw event", "µs", func(d drain) float64 { return d.cpu }, goal{ratioAtMost: 1.6, atMost: 20})
	compare("raw events per second", "/s", func(d drain) float64 { return d.rate }, goal{ratioAtLeast: 0.6})
	compare("resident memory at most", "MB", func(d drain) float64 { return d.peak }, goal{ratioAtMost: 1.3})
	return nil
}

// prepare makes the topics and fills the raw one.
func (d *deployment) prepare(ctx context.Context, m *mix, records int) error {
	if err := d.createTopics(ctx); err != nil {
		return err
	}
	return d.fill(ctx, m, 0, records)
}

func (d *deployment) drainProduct(ctx context.Context, records int) (drain, error) {
	begin := time.Now()
	p, err := d.run(ctx, "normalize", "--instance", "0")
	if err != nil {
		return drain{}, err
	}
	return d.watchDrain(ctx, p.Process, d.group(), records, begin)
}

func (d *deployment) drainFloor(ctx context.Context, records int) (drain, error) {
	begin := time.Now()
	group := d.prefix + "floor"
	p, _, err := gauge.Start(ctx, gauge.Program{Name: "the floor of normalize", Path: d.w.floorWorker, Args: []string{
		"--kafka", d.w.kafka, "--redis", d.redis, "--in", d.topic(schemas.Raw), "--out", d.topic(schemas.Resource),
		"--group", group, "--slots", strconv.Itoa(defaultSlots),
	}})
	if err != nil {
		return drain{}, err
	}
	return d.watchDrain(ctx, p, group, records, begin)
}

// watchDrain waits for the end of the backlog and stops the process. All of its processor time
// counts, that of its start too.
func (d *deployment) watchDrain(ctx context.Context, p *gauge.Process, group string, records int, begin time.Time) (drain, error) {
	if err := d.drained(ctx, group, p); err != nil {
		return drain{}, errors.Join(err, p.Kill())
	}
	took := time.Since(begin)
	usage, err := p.Usage()
	if err := errors.Join(err, p.Stop()); err != nil {
		return drain{}, err
	}
	return drain{
		cpu:  perEvent(usage.CPU, records),
		rate: float64(records) / took.Seconds(),
		peak: float64(usage.Peak) / 1e6,
	}, nil
}
