package normalize

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// repairsAtOnce is how many partitions of a process are repaired at the same time, so that one whose dispositions
// cannot be read now holds nobody up. They write in the order in which they began (dedupe.Queue), or the first
// would be done no sooner than the last.
const repairsAtOnce = 4

// wentBackLimit is how long a slot that ends because Kafka went back may look for further partitions.
const wentBackLimit = 5 * time.Second

// repairs are those under way in a slot, each in a goroutine of its own. Nothing of it but ended is touched by
// those.
type repairs struct {
	turns   chan struct{} // of the process, one for each repair that runs
	wakeup  *Wakeup       // of the slot, when one ends
	running map[int32]*underway
	all     sync.WaitGroup

	mu    sync.Mutex
	ended []*underway
}

// underway is the repair of one partition.
type underway struct {
	partition int32
	repair    *dedupe.Repair
	during    context.Context // ends when the partition comes or goes
	done      func()
	marks     int
	err       error
}

func newRepairs(turns chan struct{}, w *Wakeup) *repairs {
	return &repairs{turns: turns, wakeup: w, running: make(map[int32]*underway)}
}

// begin starts the repair of a partition.
func (r *repairs) begin(u *underway) {
	r.running[u.partition] = u
	r.all.Go(func() {
		select {
		case r.turns <- struct{}{}:
			u.marks, u.err = u.repair.Run(u.during)
			<-r.turns
		case <-u.during.Done():
			u.err = u.during.Err()
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = append(r.ended, u)
		r.wakeup.Wake()
	})
}

// take returns those that ended.
func (r *repairs) take() []*underway {
	r.mu.Lock()
	defer r.mu.Unlock()
	ended := r.ended
	r.ended = nil
	for _, u := range ended {
		delete(r.running, u.partition)
	}
	return ended
}

// stop ends all of them, and forgets them.
func (r *repairs) stop() {
	for _, u := range r.running {
		u.done()
	}
	r.all.Wait()
	r.take()
}

// ailing is a partition that could not be repaired for a reason of its own.
type ailing struct {
	err   error
	pause backoff
	until time.Time
}

// repair keeps the marks of every partition that is ours complete. Nothing is claimed in a partition before,
// and no record of it is polled: it is held, while the others flow.
func (w *worker) repair(ctx context.Context) error {
	joined := w.owned.joined() // asked first: what came with joining is drained below
	changed, owned := w.owned.drain()
	slices.Sort(owned)
	if len(changed) > 0 {
		w.lose(changed)
		w.state.end(ErrRefused) // it was perhaps about a batch that is another slot's now
	}
	for _, p := range changed {
		w.forget(p)
		if slices.Contains(owned, p) {
			w.progress.begin(p)
		}
	}
	if joined {
		defer w.state.end(errJoining)
	}
	whole, err := w.withhold(owned)
	if err != nil {
		return err
	}
	err = w.repairAll(ctx, whole)
	w.open(owned)
	return err
}

// forget ends what is known of a partition that came or went.
func (w *worker) forget(p int32) {
	w.ledger.Forget(p)
	w.progress.forget(p)
	delete(w.guard.alone, p)
	delete(w.aside, p)
	delete(w.singly, p)
	delete(w.ailing, p)
	delete(w.begun, p)
	delete(w.flowing, p)
	delete(w.recalled, p)
}

// repairAll takes up the repairs that ended, and begins those that are missing.
func (w *worker) repairAll(ctx context.Context, owned []int32) error {
	if w.o.Claims == nil {
		return nil
	}
	if err := w.adopt(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	if w.bypassed() {
		w.repairs.stop()
		w.state.repair(nil)
		return nil
	}
	var waiting []int32
	for _, p := range owned {
		if w.aside[p] || w.ledger.Repaired(p) {
			continue
		}
		waiting = append(waiting, p)
		if sick := w.ailing[p]; w.repairs.running[p] == nil && (sick == nil || time.Now().After(sick.until)) {
			during, done := w.owned.during(w.session, p)
			w.repairs.begin(&underway{partition: p, repair: w.ledger.BeginRepair(p), during: during, done: done})
		}
	}
	w.state.repair(w.repairing(waiting))
	return nil
}

// repairing says which partitions wait for their marks, and why where it is not their turn alone.
func (w *worker) repairing(waiting []int32) error {
	if len(waiting) == 0 {
		return nil
	}
	err := ErrRepairing
	for _, p := range slices.Sorted(maps.Keys(w.ailing)) {
		err = fmt.Errorf("%w; partition %d: %w", err, p, w.ailing[p].err)
	}
	return &placed{w.slot.Topic, waiting, err}
}

// adopt takes up the repairs that ended.
func (w *worker) adopt(ctx context.Context) error {
	var away error
	for _, u := range w.repairs.take() {
		outcome := w.adoptOne(ctx, u)
		u.done()
		w.metrics.marks.Add(float64(u.marks))
		w.metrics.repairs.WithLabelValues(outcome).Inc()
		if outcome != repairFailed {
			continue
		}
		switch err := w.failing(u); {
		case ctx.Err() != nil:
			return nil // the end cut the repair off; the next owner does it
		case errors.Is(err, dedupe.ErrUnavailable):
			away = err
		case errors.Is(err, dedupe.ErrWentBack):
			return w.judgeStore(ctx, w.wentBack(ctx, u))
		case err != nil:
			return w.judgeStore(ctx, err)
		}
	}
	if away != nil {
		w.repairs.stop() // the others would each wait for the same store
		return w.judgeStore(ctx, away)
	}
	return nil
}

// wentBack is the error of a repair that found that Kafka went back, with every partition of the slot of which that
// is so: who mends it must know them all, and the slot ends at the first. Those whose marks are complete were looked
// at before.
func (w *worker) wentBack(ctx context.Context, u *underway) error {
	w.repairs.stop()
	ctx, cancel := context.WithTimeout(ctx, wentBackLimit)
	defer cancel()
	all := &placed{topic: w.slot.Topic, partitions: []int32{u.partition}, err: u.err}
	for _, p := range w.owned.now() {
		if p == u.partition || w.ledger.Repaired(p) {
			continue
		}
		err := w.ledger.BeginRepair(p).Check(ctx)
		switch {
		case errors.Is(err, dedupe.ErrWentBack):
			all.partitions = append(all.partitions, p)
			w.log.Error("kafka went back in another partition, too", "topic", w.slot.Topic, "partition", p, "error", err)
		case err != nil:
			w.log.Warn("a partition cannot be held against the marks in redis", "topic", w.slot.Topic, "partition", p, "error", err)
		}
	}
	slices.Sort(all.partitions)
	return all
}

// How a repair may end, as the metric names it.
const (
	repairDone      = "done"
	repairCut       = "cut"
	repairContended = "contended"
	repairFailed    = "failed"
)

// adoptOne takes up one repair, unless its partition went meanwhile, or somebody else turns out to be
// repairing it. While partitions move, two slots may both think that one is theirs; if both insisted,
// each would undo the other's work for ever. So it is set aside until a record of it is polled, which
// only its owner does.
func (w *worker) adoptOne(ctx context.Context, u *underway) (outcome string) {
	switch {
	case ctx.Err() == nil && u.during.Err() != nil:
		return repairCut
	case u.err == nil:
		w.ledger.Adopt(u.repair)
		delete(w.ailing, u.partition)
		w.answering()
		w.log.Debug("marks are complete", "partition", u.partition, "marks", u.marks)
		return repairDone
	case errors.Is(u.err, dedupe.ErrMoved):
		w.aside[u.partition] = true
		w.log.Debug("another worker repairs the marks", "partition", u.partition)
		return repairContended
	}
	return repairFailed
}

// failing returns what a failed repair means for the whole slot; nil where it is about its partition alone, which
// is tried again.
func (w *worker) failing(u *underway) error {
	switch {
	case errors.Is(u.err, dedupe.ErrUnavailable), errors.Is(u.err, dedupe.ErrWentBack), errors.Is(u.err, dedupe.ErrPepper):
		return u.err
	case w.withheld[u.partition]:
		return nil // it began before that was known
	case len(w.flowing) == 0 && len(w.repairs.running) == 0:
		return u.err // nothing would be held up by a new session, and one may help
	}
	sick := w.ailing[u.partition]
	if sick == nil {
		sick = &ailing{}
		w.ailing[u.partition] = sick
	}
	sick.err = u.err
	sick.until = time.Now().Add(sick.pause.next())
	w.log.Warn("the marks of a partition cannot be repaired; its records wait, others go on", "partition", u.partition, "error", u.err)
	return nil
}

// open lets the partitions flow that may, and holds the others.
func (w *worker) open(owned []int32) {
	var release, hold []int32
	w.moving = false
	for _, p := range owned {
		w.moving = w.begin(p) || w.moving
		switch flows := w.flows(p); {
		case flows && !w.flowing[p]:
			release = append(release, p)
			w.flowing[p] = true
		case !flows && w.flowing[p]:
			hold = append(hold, p)
			delete(w.flowing, p)
		}
	}
	w.slot.Session.Hold(hold)
	w.slot.Session.Release(release)
}

// flows reports whether records of a partition may be polled.
func (w *worker) flows(p int32) bool {
	began := w.begun[p] != nil && w.begun[p] == w.owned.place(p)
	switch {
	case w.withheld[p]:
		return false
	case w.o.Claims == nil, w.bypassed():
		return began
	case w.aside[p]:
		return true // a record of it tells that it is ours; nothing is decided about it before
	}
	return began && w.ledger.Repaired(p)
}
