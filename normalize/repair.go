package normalize

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

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
		switch err := w.repairOne(ctx, p); {
		case err != nil && ctx.Err() != nil:
			return nil // the end cut the repair off; the next owner does it
		case err != nil:
			return w.judgeStore(ctx, err)
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
		w.log.Debug("another worker repairs the marks", "partition", p)
	default:
		outcome = "failed"
	}
	w.metrics.repairs.WithLabelValues(outcome).Inc()
	return err
}
