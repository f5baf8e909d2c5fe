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
		return w.storeAway(ctx, err)
	case ctx.Err() != nil:
		return nil
	}
	return err
}

// storeAway waits until the store answers, or may be bypassed.
func (w *worker) storeAway(ctx context.Context, cause error) error {
	w.noteAway()
	w.state.set(cause)
	if !w.mayBypass() {
		w.log.Warn("waiting for Redis; raw records stay in Kafka", "error", cause)
		_ = dedupe.Sleep(ctx, w.pause.next())
	}
	return w.awaitStore(ctx)
}

// awaitStore returns when the store is up and suitable, when it may be bypassed, or when ctx ends.
func (w *worker) awaitStore(ctx context.Context) error {
	for ctx.Err() == nil {
		err := w.checkStore(ctx)
		switch {
		case err == nil:
			// Only a successful claim ends the outage: a server short of memory may take the
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

func (w *worker) checkStore(ctx context.Context) error {
	if w.o.Health == nil {
		return nil
	}
	return w.o.Health.Check(ctx)
}

// answering ends an outage of the store.
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

// mayBypass reports whether the operator's patience is over.
func (w *worker) mayBypass() bool {
	return w.o.FailOpenAfter > 0 && !w.away.IsZero() && time.Since(w.away) >= w.o.FailOpenAfter
}

// bypassed reports whether the store is not to be asked now: it was down a moment ago, and batches must
// not each wait for its timeouts.
func (w *worker) bypassed() bool { return w.mayBypass() && time.Now().Before(w.retry) }
