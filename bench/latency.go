package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// coldSeconds is how long webhooks come before what counts: the partitions of fresh topics must be
// handed out, and the first transaction over each costs the broker more than those after it.
const coldSeconds = 5

// latency is from before a webhook is posted to its event's arrival at a reader at read_committed.
func latency(ctx context.Context, w *world, s size, r *report) error {
	where := fmt.Sprintf(", normalize.slots: %d", defaultSlots)
	if err := w.latencyOf(ctx, s, r, defaultSlots, where, goal{atMost: 20}, goal{atMost: 100}); err != nil {
		return err
	}
	if err := w.latencyOf(ctx, s, r, 2, ", normalize.slots: 2", goal{}, goal{}); err != nil {
		return err
	}
	if w.otherKafka == "" {
		return nil
	}
	other := *w
	other.kafka = w.otherKafka
	return other.latencyOf(ctx, s, r, defaultSlots, where+", broker's default backoff", goal{}, goal{})
}

func (w *world) latencyOf(ctx context.Context, s size, r *report, slots int, where string, middle, tail goal) error {
	m, err := usualMix()
	if err != nil {
		return err
	}
	var p50, p99, p999, answer50, answer99 []float64
	for n := -1; n < s.rounds; n++ {
		w.say("latency%s: round %d of %d", where, n+1, s.rounds)
		arrived, answers, err := w.travel(ctx, m, s, slots)
		if err != nil {
			return err
		}
		if n < 0 { // it warms the broker up
			continue
		}
		p50, p99, p999 = append(p50, quantile(arrived, 0.5)), append(p99, quantile(arrived, 0.99)), append(p999, quantile(arrived, 0.999))
		answer50, answer99 = append(answer50, quantile(answers, 0.5)), append(answer99, quantile(answers, 0.99))
	}
	row := func(name string, values []float64, g goal) {
		r.compare("latency", fmt.Sprintf("%s at %d/s%s", name, s.rate, where), "ms", values, nil, g)
	}
	row("webhook to answer, p50", answer50, goal{})
	row("webhook to answer, p99", answer99, goal{})
	row("webhook to event, p50", p50, middle)
	row("webhook to event, p99", p99, tail)
	row("webhook to event, p99.9", p999, goal{})
	return nil
}

// travel runs both stages and posts webhooks evenly; it returns how long each one's event and
// answer took.
func (w *world) travel(ctx context.Context, m *mix, s size, slots int) (arrived, answers []time.Duration, err error) {
	d := w.deploy()
	d.slots = slots
	if err := d.createTopics(ctx); err != nil {
		return nil, nil, err
	}
	all, err := m.webhooks(0, s.rate*(coldSeconds+s.seconds))
	if err != nil {
		return nil, nil, err
	}
	run, err := d.bothStages(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, run.stop()) }()
	reader, err := d.openReader(ctx, all)
	if err != nil {
		return nil, nil, err
	}
	defer reader.close()
	group, ctx := errgroup.WithContext(ctx)
	var a answered
	group.Go(func() (err error) {
		a, err = run.post(ctx, all, s.rate)
		return err
	})
	group.Go(func() error { return reader.run(ctx) })
	if err := group.Wait(); err != nil {
		return nil, nil, errors.Join(err, run.ended())
	}
	cold := s.rate * coldSeconds
	return reader.since(a.sent)[cold:], a.took[cold:], nil
}
