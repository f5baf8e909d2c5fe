package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/kycbridge/kycbridge/bench/gauge"
	"github.com/kycbridge/kycbridge/internal/freeport"
	"github.com/kycbridge/kycbridge/schemas"
)

// served is what one process took to answer the webhooks of one round.
type served struct {
	cpu            float64 // µs per request
	p50, p99, p999 float64 // ms
	rate           float64 // requests per second
}

// receiver is a process that takes webhooks.
type receiver struct {
	*gauge.Process
	address string
}

// ingest posts the same webhooks to the floor and the product in turn, and forged ones to the
// product.
func ingest(ctx context.Context, w *world, s size, r *report) (err error) {
	m, err := usualMix()
	if err != nil {
		return err
	}
	product, floor, err := w.deploy().receivers(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, product.Stop(), floor.Stop()) }()
	var ours, least, forged []served
	for n := -1; n < s.rounds; n++ {
		w.say("ingest: round %d of %d", n+1, s.rounds)
		all, err := m.webhooks((n+1)*s.requests, s.requests)
		if err != nil {
			return err
		}
		one, err := takeTurns(ctx, product, floor, all, n%2 == 0)
		if err != nil {
			return err
		}
		if n >= 0 { // the one before the first warms up
			ours, least, forged = append(ours, one[0]), append(least, one[1]), append(forged, one[2])
		}
	}
	reportServed(r, ours, least, forged)
	return reportMemory(r, product, floor)
}

// receivers starts the floor and the product on one topic.
func (d *deployment) receivers(ctx context.Context) (product, floor receiver, err error) {
	if err := d.createTopics(ctx); err != nil {
		return product, floor, err
	}
	floor.address, err = freeport.Address()
	if err != nil {
		return product, floor, err
	}
	floor.Process, _, err = gauge.Start(ctx, gauge.Program{Name: "the floor of ingest", Path: d.w.floorIngest, Args: []string{
		"--listen", floor.address, "--kafka", d.w.kafka, "--topic", d.topic(schemas.Raw), "--secret", secret,
	}, Ready: "http://" + floor.address + "/readyz"})
	if err != nil {
		return product, floor, err
	}
	p, err := d.run(ctx, "ingest")
	if err != nil {
		return product, floor, errors.Join(err, floor.Kill())
	}
	return receiver{p.Process, p.listen}, floor, nil
}

// takeTurns is one round: what the product, the floor and the product with forged webhooks took.
func takeTurns(ctx context.Context, product, floor receiver, all []webhook, floorFirst bool) (one [3]served, err error) {
	bad, err := forgeries(all)
	if err != nil {
		return one, err
	}
	turns := []func() error{
		func() (err error) { one[0], err = product.serve(ctx, all, http.StatusOK); return err },
		func() (err error) { one[1], err = floor.serve(ctx, all, http.StatusOK); return err },
	}
	if floorFirst {
		turns[0], turns[1] = turns[1], turns[0]
	}
	for _, turn := range turns {
		if err := turn(); err != nil {
			return one, err
		}
	}
	one[2], err = product.serve(ctx, bad, http.StatusUnauthorized)
	return one, err
}

// serve posts all webhooks and asks what that took.
func (p receiver) serve(ctx context.Context, all []webhook, want int) (served, error) {
	before, err := p.Usage()
	if err != nil {
		return served{}, err
	}
	a, err := load{address: p.address, want: want}.post(ctx, all)
	if err != nil {
		return served{}, errors.Join(err, p.Ended())
	}
	after, err := p.Usage()
	if err != nil {
		return served{}, err
	}
	n := float64(len(all))
	return served{
		cpu: perEvent(after.CPU-before.CPU, len(all)), rate: n / a.all.Seconds(),
		p50: quantile(a.took, 0.5), p99: quantile(a.took, 0.99), p999: quantile(a.took, 0.999),
	}, nil
}

func reportServed(r *report, ours, least, forged []served) {
	compare := func(name, unit string, of func(served) float64, g goal) {
		r.compare("ingest", name, unit, column(ours, of), column(least, of), g)
	}
	compare("CPU per request", "µs", func(s served) float64 { return s.cpu }, goal{ratioAtMost: 1.25})
	compare("answer, p50", "ms", func(s served) float64 { return s.p50 }, goal{})
	compare("answer, p99", "ms", func(s served) float64 { return s.p99 }, goal{ratioAtMost: 1.3})
	compare("answer, p99.9", "ms", func(s served) float64 { return s.p999 }, goal{})
	compare("requests per second", "/s", func(s served) float64 { return s.rate }, goal{})
	against := make([]float64, len(ours))
	for i := range ours {
		against[i] = forged[i].cpu / ours[i].cpu
	}
	r.compare("ingest", "CPU of a forged request to that of an accepted one", "×", against, nil, goal{below: 1})
}

func reportMemory(r *report, product, floor receiver) error {
	ours, err := product.Usage()
	if err != nil {
		return err
	}
	least, err := floor.Usage()
	if err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	r.compare("ingest", "resident memory at most", "MB", []float64{float64(ours.Peak) / 1e6}, []float64{float64(least.Peak) / 1e6}, goal{atMost: 40})
	return nil
}
