package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/kycbridge/kycbridge/bench/gauge"
)

// loads are a hundredfold apart, in webhooks per second.
var loads = []int{20, 200, 2000}

// scaleLoad measures what a delivery costs each stage at rates that are a hundredfold apart.
func (w *world) scaleLoad(ctx context.Context, _ *mix, s size, r *report) error {
	m, err := usualMix()
	if err != nil {
		return err
	}
	took, worked := map[int][]float64{}, map[int][]float64{}
	for n := range s.rounds {
		for _, rate := range loads {
			w.say("scale: %d webhooks per second, round %d of %d", rate, n+1, s.rounds)
			ingest, normalize, err := w.costAt(ctx, m, rate, s.seconds)
			if err != nil {
				return err
			}
			took[rate], worked[rate] = append(took[rate], ingest), append(worked[rate], normalize)
		}
	}
	for _, stage := range []struct {
		name string
		cost map[int][]float64
	}{{"ingest", took}, {"normalize", worked}} {
		for _, rate := range loads {
			r.compare("scale", fmt.Sprintf("CPU of %s per webhook at %d/s", stage.name, rate), "µs", stage.cost[rate], nil, goal{})
		}
		least, most := loads[0], loads[len(loads)-1]
		growth := make([]float64, s.rounds)
		for n := range growth {
			growth[n] = stage.cost[most][n] / stage.cost[least][n]
		}
		r.compare("scale", fmt.Sprintf("CPU of %s per webhook at %d/s, to that at %d/s", stage.name, most, least), "×", growth, nil, flat)
	}
	return nil
}

// costAt posts webhooks at one rate and returns what each cost the two stages, in µs, beyond what they
// take when nothing comes.
func (w *world) costAt(ctx context.Context, m *mix, rate, seconds int) (ingest, normalize float64, err error) {
	d := w.deploy()
	if err := d.createTopics(ctx); err != nil {
		return 0, 0, err
	}
	run, err := d.bothStages(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, run.stop()) }()
	all, err := m.webhooks(0, rate*(seconds+1))
	if err != nil {
		return 0, 0, err
	}
	warm, counted := all[:rate], all[rate:] // a second's webhooks come before what counts
	if err := run.travelled(ctx, warm, rate); err != nil {
		return 0, 0, err
	}
	idle, err := run.used(func() error {
		time.Sleep(time.Duration(seconds) * time.Second)
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	busy, err := run.used(func() error { return run.travelled(ctx, counted, rate) })
	return perEvent(busy[0]-idle[0], len(counted)), perEvent(busy[1]-idle[1], len(counted)), err
}

// stages is one process of each.
type stages struct {
	d                  *deployment
	ingest, normalizer *running
}

func (d *deployment) bothStages(ctx context.Context) (*stages, error) {
	receive, err := d.run(ctx, "ingest")
	if err != nil {
		return nil, err
	}
	work, err := d.run(ctx, "normalize", "--instance", "0")
	if err != nil {
		return nil, errors.Join(err, receive.Kill())
	}
	return &stages{d, receive, work}, nil
}

func (b *stages) stop() error { return errors.Join(b.ingest.Stop(), b.normalizer.Stop()) }

// ended says which of the two is no longer there.
func (b *stages) ended() error { return errors.Join(b.ingest.Ended(), b.normalizer.Ended()) }

// used is the processor time of ingest and of the normaliser meanwhile.
func (b *stages) used(meanwhile func() error) (both [2]time.Duration, err error) {
	before, err := b.usage()
	if err != nil {
		return both, err
	}
	if err := meanwhile(); err != nil {
		return both, err
	}
	after, err := b.usage()
	for i := range both {
		both[i] = after[i].CPU - before[i].CPU
	}
	return both, err
}

// usage is that of ingest and of the normaliser.
func (b *stages) usage() (both [2]gauge.Usage, err error) {
	for i, p := range []*running{b.ingest, b.normalizer} {
		one, failed := p.Usage()
		both[i], err = one, errors.Join(err, failed)
	}
	return both, err
}

// post sends webhooks evenly.
func (b *stages) post(ctx context.Context, all []webhook, rate int) (answered, error) {
	return load{address: b.ingest.listen, want: http.StatusOK, every: time.Second / time.Duration(rate)}.post(ctx, all)
}

// lateBy is how much longer than it should the posting may take, for its rate to be what it is said to be.
const lateBy = 1.1

// travelled posts webhooks and waits until all are events.
func (b *stages) travelled(ctx context.Context, all []webhook, rate int) error {
	a, err := b.post(ctx, all, rate)
	if err != nil {
		return errors.Join(err, b.ended())
	}
	if should := float64(len(all)) / float64(rate); len(all) > rate && a.all.Seconds() > lateBy*should {
		return fmt.Errorf("%w: %d webhooks at %d/s took %s: this machine is too slow for that rate", errLeftOut, len(all), rate, a.all.Round(time.Millisecond))
	}
	return b.d.drained(ctx, b.d.group(), b.ingest, b.normalizer)
}

// servedBy is the processor time of a request, in µs, where requests go to so many endpoints.
func (w *world) servedBy(ctx context.Context, m *mix, endpoints, requests int) (cpu float64, err error) {
	named := *m
	named.endpoints = endpointNames(endpoints)
	d := w.deploy()
	d.endpoints = named.endpoints
	if err := d.createTopics(ctx); err != nil {
		return 0, err
	}
	p, err := d.run(ctx, "ingest")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	var one served
	for n := range 2 { // the first warms up
		all, err := named.webhooks(n*requests, requests)
		if err != nil {
			return 0, err
		}
		if one, err = (receiver{p.Process, p.listen}).serve(ctx, all, http.StatusOK); err != nil {
			return 0, err
		}
	}
	return one.cpu, nil
}
