package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Endpoints of the smallest and of the largest installation.
const fewEndpoints, manyEndpoints = 5, 500

// errLeftOut says that this machine cannot give a figure, and why.
var errLeftOut = errors.New("left out")

// flat is the goal of a cost that must not grow: at most a tenth more.
var flat = goal{atMost: 1.1}

// scale measures what an event costs as the installation grows.
func scale(ctx context.Context, w *world, s size, r *report) error {
	m, err := newMix("complycube")
	if err != nil {
		return err
	}
	for _, part := range []func(context.Context, *mix, size, *report) error{
		w.scaleClaims, w.scaleEndpoints, w.scaleReceivers, w.scaleLoad, w.scaleProcesses, w.scaleBacklog,
	} {
		err := part(ctx, m, s, r)
		if errors.Is(err, errLeftOut) {
			w.say("%v", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// drainAfresh drains a backlog of its own with the product.
func (w *world) drainAfresh(ctx context.Context, m *mix, records int, change func(*deployment)) (drain, error) {
	d := w.deploy()
	change(d)
	if err := d.prepare(ctx, m, records); err != nil {
		return drain{}, err
	}
	return d.drainProduct(ctx, records)
}

// scaleClaims measures what a claim takes in Redis, and what an event costs beside many of them.
func (w *world) scaleClaims(ctx context.Context, m *mix, s size, r *report) error {
	var growth, bytes []float64
	for n := range s.rounds {
		w.say("scale: live claims, round %d of %d", n+1, s.rounds)
		one, size, err := w.claimsRound(ctx, m, s)
		if err != nil {
			return err
		}
		growth, bytes = append(growth, one), append(bytes, size)
	}
	r.compare("scale", "Redis memory per live claim", "bytes", bytes, nil, goal{atMost: 150})
	r.compare("scale", fmt.Sprintf("CPU per raw event at %d live claims, to that at none", s.claims), "×", growth, nil, flat)
	return nil
}

// claimsRound drains one backlog beside no claims but its own and one beside many.
func (w *world) claimsRound(ctx context.Context, m *mix, s size) (growth, bytes float64, err error) {
	store, err := w.startRedis(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, store.stop()) }()
	on := func(d *deployment) { d.redis = store.address }
	before, err := store.used(ctx)
	if err != nil {
		return 0, 0, err
	}
	few, err := w.drainAfresh(ctx, m, s.records, on)
	if err != nil {
		return 0, 0, err
	}
	if err := store.copies(ctx, s.claims-s.records); err != nil {
		return 0, 0, err
	}
	after, err := store.used(ctx)
	if err != nil {
		return 0, 0, err
	}
	many, err := w.drainAfresh(ctx, m, s.records, on)
	return many.cpu / few.cpu, (after - before) / float64(s.claims), err
}

// scaleEndpoints drains backlogs of five and of five hundred endpoints.
func (w *world) scaleEndpoints(ctx context.Context, m *mix, s size, r *report) error {
	return w.compareEndpoints(s, r, "CPU per raw event", func(count int) (float64, error) {
		named := *m
		named.endpoints = endpointNames(count)
		one, err := w.drainAfresh(ctx, &named, s.records, func(d *deployment) { d.endpoints = named.endpoints })
		return one.cpu, err
	})
}

// scaleReceivers measures what a webhook costs ingest with five and with five hundred endpoints.
func (w *world) scaleReceivers(ctx context.Context, _ *mix, s size, r *report) error {
	m, err := usualMix()
	if err != nil {
		return err
	}
	return w.compareEndpoints(s, r, "CPU per request", func(count int) (float64, error) {
		return w.servedBy(ctx, m, count, s.requests)
	})
}

// compareEndpoints reports what many endpoints cost beside few.
func (w *world) compareEndpoints(s size, r *report, what string, cost func(count int) (float64, error)) error {
	var growth []float64
	for n := range s.rounds {
		w.say("scale: endpoints, %s, round %d of %d", what, n+1, s.rounds)
		took := map[int]float64{}
		for _, count := range fewAndMany(n) {
			one, err := cost(count)
			if err != nil {
				return err
			}
			took[count] = one
		}
		growth = append(growth, took[manyEndpoints]/took[fewEndpoints])
	}
	r.compare("scale", fmt.Sprintf("%s of %d endpoints, to that of %d", what, manyEndpoints, fewEndpoints), "×", growth, nil, flat)
	return nil
}

// fewAndMany are in turn first.
func fewAndMany(turn int) []int {
	if turn%2 == 0 {
		return []int{fewEndpoints, manyEndpoints}
	}
	return []int{manyEndpoints, fewEndpoints}
}

func endpointNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("customer-%03d", i)
	}
	return names
}

// scaleProcesses drains with two processes of one slot, and with one of two.
func (w *world) scaleProcesses(ctx context.Context, m *mix, s size, r *report) error {
	var faster []float64
	for n := range s.rounds {
		w.say("scale: processes, round %d of %d", n+1, s.rounds)
		one, err := w.sharedRate(ctx, m, s.backlog, 1, 2)
		if err != nil {
			return err
		}
		two, err := w.sharedRate(ctx, m, s.backlog, 2, 1)
		if err != nil {
			return err
		}
		faster = append(faster, two/one)
	}
	r.compare("scale", "raw events per second of two processes, to one with as many slots", "×", faster, nil, goal{atLeast: 0.9})
	return nil
}

// sharedRate is that of processes that share the partitions. It counts that nothing was lost or doubled.
func (w *world) sharedRate(ctx context.Context, m *mix, records, processes, slots int) (float64, error) {
	d := w.deploy()
	d.slots = slots
	rate, err := d.warmRate(ctx, m, records, processes)
	if err != nil {
		return 0, err
	}
	disposed, err := d.disposed(ctx)
	switch {
	case err != nil:
		return 0, err
	case disposed != records:
		return 0, fmt.Errorf("%d dispositions for %d raw records: something was lost or doubled", disposed, records)
	}
	return rate, nil
}

// warmRate is how many records a second are drained in the second half of a backlog: in the first the
// processes start, and hand partitions to each other.
func (d *deployment) warmRate(ctx context.Context, m *mix, records, processes int) (rate float64, err error) {
	if err := d.prepare(ctx, m, records); err != nil {
		return 0, err
	}
	var all []ender
	for instance := range processes {
		p, err := d.run(ctx, "normalize", "--instance", strconv.Itoa(instance))
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, p.Stop()) }()
		all = append(all, p)
	}
	if err := d.drainedBut(ctx, d.group(), records/2, all...); err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := d.drained(ctx, d.group(), all...); err != nil {
		return 0, err
	}
	return float64(records/2) / time.Since(begin).Seconds(), nil
}

// scaleBacklog drains one large backlog, as after an outage.
func (w *world) scaleBacklog(ctx context.Context, m *mix, s size, r *report) error {
	w.say("scale: a backlog of %d records", s.backlog)
	one, err := w.drainAfresh(ctx, m, s.backlog, func(*deployment) {})
	if err != nil {
		return err
	}
	r.note("scale", fmt.Sprintf("raw events per second, backlog of %d", s.backlog), "/s", one.rate, goal{atLeast: 5000})
	r.note("scale", fmt.Sprintf("CPU per raw event, backlog of %d", s.backlog), "µs", one.cpu, goal{})
	r.note("scale", fmt.Sprintf("resident memory at most, backlog of %d", s.backlog), "MB", one.peak, goal{})
	return nil
}
