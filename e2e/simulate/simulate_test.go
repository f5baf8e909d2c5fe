package simulate

import (
	"context"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
)

// calmLimit is how long everything may take to get through once the faults are over, in virtual time.
const calmLimit = 30 * time.Minute

// patient is after how much real time a run is given up: a bubble in which somebody waits for a sync.Mutex
// for ever, or never waits at all, has no clock to end it. The longest seeds take seconds.
const patient = 3 * time.Minute

// effort is what a run did.
type effort struct {
	Requests, Accepted, Raw, Events int
	Faults, Ambushes, Lives         int
	Gaps, Filled, Refused, Refusals int
	Unconfirmed                     int
	Virtual, Real                   time.Duration
	Calm                            time.Duration // the longest time from the last fault until all was through
}

func (e *effort) add(o effort) {
	e.Requests, e.Accepted, e.Raw, e.Events = e.Requests+o.Requests, e.Accepted+o.Accepted, e.Raw+o.Raw, e.Events+o.Events
	e.Faults, e.Ambushes, e.Lives = e.Faults+o.Faults, e.Ambushes+o.Ambushes, e.Lives+o.Lives
	e.Gaps, e.Filled, e.Refused = e.Gaps+o.Gaps, e.Filled+o.Filled, e.Refused+o.Refused
	e.Refusals, e.Unconfirmed = e.Refusals+o.Refusals, e.Unconfirmed+o.Unconfirmed
	e.Virtual, e.Real, e.Calm = e.Virtual+o.Virtual, e.Real+o.Real, max(e.Calm, o.Calm)
}

func (e effort) String() string {
	return fmt.Sprintf("%s of virtual time in %s: %d faults (%d kills at a chosen request), %d lives of processes, "+
		"%d requests, %d deliveries accepted, %d raw records, %d events, %d records passed over, %d filled, %d events unconfirmed, "+
		"%d commands refused by Redis, %d processes with another pepper refused, all through at most %s after the faults",
		e.Virtual.Round(time.Second), e.Real.Round(time.Millisecond), e.Faults, e.Ambushes, e.Lives,
		e.Requests, e.Accepted, e.Raw, e.Events, e.Gaps, e.Filled, e.Unconfirmed,
		e.Refusals, e.Refused, e.Calm.Round(time.Second))
}

// outcome is what became of one seed.
type outcome struct {
	*judgement
	trace *trace
}

// mutant is a build that is wrong in one way; its zero value is right.
type mutant struct {
	rule    func(dedupe.Claim, *dedupe.Claim) dedupe.Step
	replays dedupe.State // of a replay's claims
}

// simulate runs one plan in a bubble of its own.
func simulate(t *testing.T, p *plan, m mutant) (out outcome) {
	t.Helper()
	rules := normalizetest.Validator(t) // made outside of the bubble
	begin, steps := time.Now(), &trace{}
	watch := time.AfterFunc(patient, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("seed %d is not through after %s; its steps so far:\n%s\nIts goroutines:", p.seed, patient, steps))
	})
	defer watch.Stop()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, p, rules, steps)
		w.mutant = m
		out = w.run()
	})
	out.seen.Real = time.Since(begin)
	return out
}

// run lets traffic and faults go on for the plan's span, then waits until everything is through, and
// asks the oracle.
func (w *world) run() outcome {
	ctx, stop := context.WithCancel(context.Background())
	w.ctx = ctx
	w.raise()
	raining, clear := context.WithCancel(ctx)
	w.wg.Go(func() { w.bury(ctx) })
	sent := make(chan struct{})
	w.wg.Go(func() { defer close(sent); w.traffic(ctx) })
	w.rain(raining)
	clear()
	w.calm()
	over := time.Now()
	through := w.await(sent) && w.awaitReplays()
	calm := time.Since(over)
	wrong := w.finish()
	j := w.judge()
	stop()
	w.close()
	if !through {
		j.say("stuck", "not everything was through %s after the faults", calmLimit)
	}
	for _, what := range append(w.wrong, wrong...) {
		j.say("mistaken", "%s", what)
	}
	j.seen.Gaps, j.seen.Refused, j.seen.Refusals = w.passed.count, w.refused, w.redis.refuses.count()
	j.seen.Requests, j.seen.Faults, j.seen.Ambushes, j.seen.Lives = w.vendors.requests, len(w.plan.steps), w.kills, w.lives
	j.seen.Virtual, j.seen.Calm = w.elapsed(), calm
	return outcome{j, w.trace}
}

// raise starts every process.
func (w *world) raise() {
	for i := range normalizers {
		w.hosts = append(w.hosts, &host{start: func() (*process, error) { return w.startNormalizer(i) }})
	}
	for i := range ingests {
		w.hosts = append(w.hosts, &host{start: func() (*process, error) { return w.startIngest(i) }})
	}
	w.hosts = append(w.hosts, &host{}) // its processes end by themselves
	for i, h := range w.hosts[:replayer] {
		h.name, h.trace, h.pause = hostName(i), w.trace, time.Second
		w.wg.Go(func() { h.run(w.ctx) })
	}
}

// traffic sends everything in its time, and returns when the last delivery was answered for good.
func (w *world) traffic(ctx context.Context) {
	var under []chan struct{}
	for _, s := range w.plan.sends {
		wait(ctx, s.at-w.elapsed())
		done := make(chan struct{})
		under = append(under, done)
		go func() { defer close(done); w.vendors.send(ctx, s) }()
	}
	for _, done := range under {
		<-done
	}
}

// await waits until every delivery is answered and through.
func (w *world) await(sent chan struct{}) bool {
	limit := time.After(calmLimit)
	for {
		select {
		case <-limit:
			return false
		case <-time.After(time.Second):
		}
		select {
		case <-sent:
			if w.settled() {
				return true
			}
		default:
		}
	}
}

// report prints what was found, with what is needed to see it again.
func (o outcome) report(t *testing.T, seed uint64) {
	t.Helper()
	for _, check := range slices.Sorted(maps.Keys(o.found)) {
		all := o.found[check]
		t.Errorf("seed %d: %s: %d, such as %q", seed, check, len(all), all[:min(len(all), 3)])
	}
	if t.Failed() {
		t.Logf("seed %d again: make simulate SEED=%d; its steps:\n%s", seed, seed, o.trace)
	}
}
