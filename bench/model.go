package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/kycbridge/kycbridge/bench/gauge"
)

// A machine that a broker, Redis and the load share cannot show what ten or a hundred times the load
// needs. What a transaction takes here is measured, and slots with that time are simulated: each on a core
// of its own, with a broker that is no slower for there being more of them.

// slotTime is how long one slot takes for a batch: each, and each record in it more.
type slotTime struct {
	each, record time.Duration
}

func (t slotTime) of(records int) time.Duration { return t.each + time.Duration(records)*t.record }

// Limits of the product's defaults, and of the simulation.
const (
	batchLimit = 500
	smallBatch = 20
	mostSlots  = 4096
	simulated  = 200_000                // records of one slot
	overloaded = time.Hour              // stands for ever: records come faster than they go
	promised   = 100 * time.Millisecond // the goal of p99
	seed       = 1                      // a simulation is the same each time
)

// model measures a slot and says what several loads need.
func model(ctx context.Context, w *world, s size, r *report) error {
	m, err := newMix("complycube")
	if err != nil {
		return err
	}
	t, err := w.measureSlot(ctx, m, s.records)
	if err != nil {
		return err
	}
	r.note("model", "a slot's transaction, measured: each", "ms", milliseconds(t.each), goal{})
	r.note("model", "a slot's transaction, measured: each record more", "µs", float64(t.record.Nanoseconds())/1e3, goal{})
	for _, rate := range []float64{500, 5_000, 50_000} {
		slots, one, ok := enoughSlots(t, rate)
		if !ok {
			r.note("model", fmt.Sprintf("slots for %.0f/s: more than there may be", rate), "", mostSlots, goal{})
			continue
		}
		note := func(name, unit string, value float64) {
			r.note("model", fmt.Sprintf("%s at %.0f/s", name, rate), unit, value, goal{})
		}
		note("slots that keep p99 within 100 ms, simulated", "", float64(slots))
		note("their raw record to commit, p50", "ms", milliseconds(one.p50))
		note("their raw record to commit, p99", "ms", milliseconds(one.p99))
		note("their records in a transaction", "", one.batch)
		note("their transactions", "/s", rate/one.batch)
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// measureSlot drains backlogs with one slot in large and in small batches.
func (w *world) measureSlot(ctx context.Context, m *mix, records int) (slotTime, error) {
	large, err := w.batchTime(ctx, m, max(records, 20*batchLimit), batchLimit)
	if err != nil {
		return slotTime{}, err
	}
	small, err := w.batchTime(ctx, m, max(records/10, 200*smallBatch), smallBatch)
	if err != nil {
		return slotTime{}, err
	}
	return between(small, large)
}

// between finds the line through two measurements.
func between(small, large time.Duration) (slotTime, error) {
	t := slotTime{record: (large - small) / (batchLimit - smallBatch)}
	t.each = small - smallBatch*t.record
	if t.record <= 0 || t.each <= 0 {
		return t, fmt.Errorf("a batch of %d took %s and one of %d took %s: measure again with more --records on a quiet machine", smallBatch, small, batchLimit, large)
	}
	return t, nil
}

// batchTime is how long one slot takes for one batch of a backlog.
func (w *world) batchTime(ctx context.Context, m *mix, records, batch int) (time.Duration, error) {
	w.say("model: one slot with batches of %d", batch)
	d := w.deploy()
	d.slots, d.batch = 1, batch
	rate, err := d.warmRate(ctx, m, records, 1)
	if err != nil {
		return 0, err
	}
	return time.Duration(float64(batch) / rate * float64(time.Second)), nil
}

// outcome is what a simulated slot came to.
type outcome struct {
	p50, p99 time.Duration // from a record's arrival to its commit
	batch    float64       // records in a transaction, on average
}

// enoughSlots is the least number of slots, in doublings and then one by one, that keeps the promise at a
// rate in records per second; false where not even the most do.
func enoughSlots(t slotTime, rate float64) (int, outcome, bool) {
	keeps := func(slots int) (outcome, bool) {
		one := simulate(t, rate/float64(slots))
		return one, one.p99 <= promised
	}
	high := 1
	for ; high <= mostSlots; high *= 2 {
		if _, ok := keeps(high); ok {
			break
		}
	}
	if high > mostSlots {
		return 0, outcome{}, false
	}
	low := high / 2 // too few, or none
	for low+1 < high {
		middle := (low + high) / 2
		if _, ok := keeps(middle); ok {
			high = middle
		} else {
			low = middle
		}
	}
	one, _ := keeps(high)
	return high, one, true
}

// simulate lets records come to one slot at random, rate a second on average, as independent senders
// make them come. The slot takes what waits, up to a batch, and commits it.
func simulate(t slotTime, rate float64) outcome {
	random := rand.New(rand.NewPCG(seed, seed))
	arrivals := make([]time.Duration, simulated)
	var at float64
	for i := range arrivals {
		at += -math.Log(1-random.Float64()) / rate
		arrivals[i] = time.Duration(at * float64(time.Second))
	}
	took := make([]time.Duration, 0, simulated)
	var free time.Duration
	batches := 0
	for first := 0; first < simulated; batches++ {
		begin := max(free, arrivals[first])
		last := first + 1
		for last < simulated && last-first < batchLimit && arrivals[last] <= begin {
			last++
		}
		free = begin + t.of(last-first)
		for ; first < last; first++ {
			took = append(took, free-arrivals[first])
		}
	}
	if t.of(batchLimit).Seconds()*rate >= batchLimit { // it falls behind for ever
		return outcome{p50: overloaded, p99: overloaded, batch: batchLimit}
	}
	return outcome{p50: gauge.Quantile(took, 0.5), p99: gauge.Quantile(took, 0.99), batch: float64(simulated) / float64(batches)}
}
