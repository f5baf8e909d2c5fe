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

// defaultSlots is the product's. The floor is one slot as it stands.
const defaultSlots = 1

// normalize drains equal backlogs with the floor and the product in turn.
func normalize(ctx context.Context, w *world, s size, r *report) error {
	m, err := newMix("complycube")
	if err != nil {
		return err
	}
	aside := w.deploy() // the floor's topics, for all rounds: a broker with many is slower
	if err := aside.createTopics(ctx); err != nil {
		return err
	}
	var product, floor []drain
	for n := range s.rounds {
		w.say("normalize: round %d of %d", n+1, s.rounds)
		d := w.deploy()
		if err := d.prepare(ctx, m, s.records); err != nil {
			return err
		}
		f, err := d.drainFloor(ctx, aside, s.records)
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
	compare("CPU per raw event", "µs", func(d drain) float64 { return d.cpu }, goal{ratioAtMost: 1.5, atMost: 33})
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

// floorDB is the database of Redis in which the floor claims: its keys are the product's.
const floorDB = 1

// drainFloor drains the same raw topic into topics of the floor's own.
func (d *deployment) drainFloor(ctx context.Context, floor *deployment, records int) (drain, error) {
	begin := time.Now()
	p, group, err := d.startFloor(ctx, floor)
	if err != nil {
		return drain{}, err
	}
	return d.watchDrain(ctx, p, group, records, begin)
}

// startFloor runs the floor on the raw topic of d and the other topics of floor. It returns its
// consumer group as well.
func (d *deployment) startFloor(ctx context.Context, floor *deployment) (*gauge.Process, string, error) {
	group := floor.prefix + "floor"
	p, _, err := gauge.Start(ctx, gauge.Program{Name: "the floor of normalize", Path: d.w.floorWorker, Args: []string{
		"--kafka", d.w.kafka, "--redis", d.redis, "--redis-db", strconv.Itoa(floorDB),
		"--in", d.topic(schemas.Raw), "--out", floor.prefix, "--group", group,
	}})
	return p, group, err
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
