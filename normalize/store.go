package normalize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// forgotten is after how long without a failure a new one counts as a new absence.
const forgotten = time.Minute

// openRetry is how often the store is asked while events go out without it.
const openRetry = time.Second

// repair makes the marks of every partition that is ours complete. Nothing is claimed in a partition
// before.
func (w *worker) repair(ctx context.Context) error {
	joined := w.owned.joined() // asked first: what came with joining is drained below
	changed, owned := w.owned.drain()
	for _, p := range changed {
		w.ledger.Forget(p)
		w.progress.forget(p)
		delete(w.guard.alone, p)
		delete(w.aside, p)
		delete(w.singly, p)
		if slices.Contains(owned, p) {
			w.progress.begin(p)
		}
	}
	if w.o.Claims == nil && joined {
		w.state.end(errJoining)
	}
	if w.o.Claims == nil || w.bypassed() {
		return nil
	}
	missing := slices.DeleteFunc(owned, func(p int32) bool { return w.aside[p] || w.ledger.Repaired(p) })
	slices.Sort(missing)
	for i, p := range missing {
		w.state.set(fmt.Errorf("%w of raw partition(s) %v", ErrRepairing, missing[i:]))
		if err := w.repairOne(ctx, p); err != nil {
			return w.unrepaired(ctx, err)
		}
	}
	if len(missing) > 0 {
		w.answering()
	}
	if joined {
		w.state.end(errJoining)
	}
	return nil
}

// repairOne repairs one partition, unless it goes away meanwhile, or somebody else turns out to be
// repairing it. While partitions move, two slots may both think that one is theirs; if both insisted,
// each would undo the other's work for ever. So it is set aside until a record of it is polled, which
// only its owner does.
func (w *worker) repairOne(ctx context.Context, p int32) error {
	during, done := w.owned.during(ctx, p)
	defer done()
	marks, err := w.ledger.Repair(during, p)
	w.metrics.marks.Add(float64(marks))
	outcome := "done"
	switch {
	case err == nil:
		w.log.Debug("marks are complete", "partition", p, "marks", marks)
	case ctx.Err() == nil && during.Err() != nil:
		outcome, err = "cut", nil
	case errors.Is(err, dedupe.ErrMoved):
		outcome, err = "contended", nil
		w.aside[p] = true
		w.log.Debug("somebody else repairs the marks", "partition", p)
	default:
		outcome = "failed"
	}
	w.metrics.repairs.WithLabelValues(outcome).Inc()
	return err
}

func (w *worker) unrepaired(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil: // the end cut the repair off; the next owner does it
		return nil
	case errors.Is(err, dedupe.ErrAway):
		return w.storeAway(ctx, err)
	}
	return err
}

// claim decides the batch, without the store where that is allowed.
func (w *worker) claim(ctx context.Context, items []dedupe.Item) ([]dedupe.Verdict, error) {
	if w.bypassed() {
		return w.ledger.Unverified(items), nil
	}
	for _, item := range items {
		delete(w.aside, item.Partition) // it is ours, so its repair is, too
	}
	verdicts, err := w.ledger.Claim(ctx, items)
	if err == nil {
		w.answering()
		w.pause = backoff{}
		return verdicts, nil
	}
	if errors.Is(err, dedupe.ErrAway) && w.mayBypass() {
		w.noteAway()
		w.retry = time.Now().Add(openRetry)
		w.log.Error("events go out unverified: redis is away for longer than fail_open_after", "error", err)
		return w.ledger.Unverified(items), nil
	}
	return nil, err
}

// disposed asks which tasks' raw records are done with, without the store where that is allowed.
func (w *worker) disposed(ctx context.Context, tasks []Task) ([]bool, error) {
	origins := make([]dedupe.Origin, len(tasks))
	for i, t := range tasks {
		origins[i] = originOf(w.slot.RawTopicID, t.GetRaw(), t.GetEnvelope(), t.Replay)
		delete(w.aside, origins[i].Partition) // it is ours, so its repair is, too
	}
	if !w.bypassed() {
		done, err := w.ledger.Disposed(ctx, origins)
		switch {
		case err == nil:
			return done, nil
		case !errors.Is(err, dedupe.ErrAway) || !w.mayBypass():
			return nil, returned{err}
		}
		w.noteAway()
		w.retry = time.Now().Add(openRetry)
	}
	for _, o := range origins {
		w.ledger.Forget(o.Partition) // should the store be back when the batch is claimed, it is polled again
	}
	return make([]bool, len(tasks)), nil
}

// returned says that what was polled is to be given back, for the reason in it.
type returned struct{ error }

func (r returned) Unwrap() error { return r.error }

// giveBack returns a batch that could not be decided, and waits where waiting helps.
func (w *worker) giveBack(ctx, work context.Context, cause error) error {
	if err := w.slot.Session.Rewind(work); err != nil {
		return w.judge(err, time.Time{})
	}
	var drift *dedupe.DriftError
	switch {
	case errors.As(cause, &drift):
		w.log.Warn("repairing marks", "error", cause)
		return nil
	case errors.Is(cause, dedupe.ErrUnrepaired):
		return nil
	case errors.Is(cause, dedupe.ErrAway):
		return w.storeAway(ctx, cause)
	case ctx.Err() != nil:
		return nil
	default:
		return cause
	}
}

// storeAway waits until the store answers, or may be done without.
func (w *worker) storeAway(ctx context.Context, cause error) error {
	w.noteAway()
	w.state.set(cause)
	if !w.mayBypass() {
		w.log.Warn("waiting for redis; raw records stay in Kafka", "error", cause)
		_ = dedupe.Sleep(ctx, w.pause.next())
	}
	return w.awaitStore(ctx)
}

// awaitStore returns when the store is there and fit, when it may be done without, or when ctx ends.
func (w *worker) awaitStore(ctx context.Context) error {
	for ctx.Err() == nil {
		err := w.o.CheckStore(ctx)
		switch {
		case err == nil:
			// Only a claim that went through ends the absence: a server short of memory may take the
			// trial write and refuse the next batch.
			w.state.set(nil)
			return nil
		case errors.Is(err, dedupe.ErrUnsuitable):
			return stopError{err}
		case ctx.Err() != nil:
			return nil
		}
		w.noteAway()
		w.state.set(err)
		if w.mayBypass() {
			w.retry = time.Now().Add(openRetry)
			return nil
		}
		_ = dedupe.Sleep(ctx, w.pause.next())
	}
	return nil
}

// answering ends an absence of the store.
func (w *worker) answering() {
	w.away, w.retry = time.Time{}, time.Time{}
	w.state.set(nil)
}

func (w *worker) noteAway() {
	now := time.Now()
	if w.away.IsZero() || now.Sub(w.missed) > forgotten {
		w.away = now
	}
	w.missed = now
}

// mayBypass says whether the operator's patience is over.
func (w *worker) mayBypass() bool {
	return w.o.FailOpenAfter > 0 && !w.away.IsZero() && time.Since(w.away) >= w.o.FailOpenAfter
}

// bypassed says whether the store is not to be asked now: it was away a moment ago, and batches must
// not each wait for its time-outs.
func (w *worker) bypassed() bool { return w.mayBypass() && time.Now().Before(w.retry) }
