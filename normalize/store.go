package normalize

import (
	"context"
	"errors"
	"time"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// forgotten is how long after the last failure a new one counts as a new outage.
const forgotten = time.Minute

// openRetry is how often the store is asked while events go out without it.
const openRetry = time.Second

// judgeStore decides what a failed round means for the slot: it waits where waiting helps, and returns
// what ends the session.
func (w *worker) judgeStore(ctx context.Context, err error) error {
	var drift *dedupe.DriftError
	switch {
	case errors.As(err, &drift):
		w.log.Warn("repairing marks", "error", err)
		return nil
	case errors.Is(err, dedupe.ErrUnrepaired):
		return nil
	case errors.Is(err, dedupe.ErrWentBack), errors.Is(err, dedupe.ErrPepper):
		return stopError{err}
	case errors.Is(err, dedupe.ErrUnavailable):
		w.storeAway(ctx, err)
		return nil
	case ctx.Err() != nil:
		return nil
	}
	return err
}

// storeAway waits a while. The next round is the trial: nothing else shows that the store is back, since a
// server may take a write of ours and refuse scripts, or be just short of the memory that a batch needs.
func (w *worker) storeAway(ctx context.Context, cause error) {
	w.noteAway()
	w.state.set(w.at(cause))
	if w.mayBypass() {
		w.bypass()
		return
	}
	w.log.Warn("waiting for Redis; raw records stay in Kafka", "topic", w.slot.Topic, "partitions", w.owned.now(), "error", cause)
	_ = dedupe.Sleep(ctx, w.patience())
}

// patience is the pause before the store is asked again, which ends when events may go out without it.
func (w *worker) patience() time.Duration {
	pause := w.pause.next()
	if w.o.FailOpenAfter > 0 {
		pause = min(pause, max(w.o.FailOpenAfter-time.Since(w.away), 0))
	}
	return pause
}

// at names the partitions that a reason holds up.
func (w *worker) at(err error) error { return &placed{w.slot.Topic, w.owned.now(), err} }

// awaitStore returns when the store answers, when it may be bypassed, or when ctx ends. It is asked before
// there is a batch: whether batches are taken, the first of them shows.
func (w *worker) awaitStore(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.checkStore(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		if w.storeAway(ctx, err); w.mayBypass() {
			return
		}
	}
}

// tryStore ends an outage for a slot that has nothing to ask the store for any more. Where partitions wait for
// their repairs, those are the trial.
func (w *worker) tryStore(ctx context.Context) {
	if w.away.IsZero() || w.bypassed() {
		return
	}
	for _, p := range w.owned.now() {
		if !w.ledger.Repaired(p) && !w.aside[p] {
			return
		}
	}
	if err := w.checkStore(ctx); err != nil && ctx.Err() == nil {
		w.storeAway(ctx, err)
	} else if err == nil {
		w.answering()
	}
}

func (w *worker) checkStore(ctx context.Context) error {
	if w.o.Health == nil {
		return nil
	}
	return w.o.Health.Check(ctx)
}

// answering ends an outage of the store: it took a round.
func (w *worker) answering() {
	w.away, w.retry, w.pause = time.Time{}, time.Time{}, backoff{}
	w.state.end(dedupe.ErrUnavailable)
	w.state.end(dedupe.ErrUnsuitable)
}

func (w *worker) noteAway() {
	now := time.Now()
	if w.away.IsZero() || now.Sub(w.missed) > forgotten {
		w.away = now
	}
	w.missed = now
}

// mayBypass reports whether the operator's patience is over.
func (w *worker) mayBypass() bool {
	return w.o.FailOpenAfter > 0 && !w.away.IsZero() && time.Since(w.away) >= w.o.FailOpenAfter
}

// bypass leaves the store alone for a moment.
func (w *worker) bypass() { w.retry = time.Now().Add(openRetry) }

// bypassed reports whether the store is not to be asked now: it was down a moment ago, and batches must
// not each wait for its timeouts.
func (w *worker) bypassed() bool { return w.mayBypass() && time.Now().Before(w.retry) }
