package normalize

import (
	"context"
	"errors"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

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
		return verdicts, nil
	}
	if errors.Is(err, dedupe.ErrUnavailable) && w.mayBypass() {
		w.noteAway()
		w.bypass()
		w.log.Error("Redis has been unavailable for longer than fail_open_after: publishing events unverified", "error", err)
		return w.ledger.Unverified(items), nil
	}
	return nil, err
}

// disposed reports which tasks' raw records have their final disposition, without the store where that is allowed.
func (w *worker) disposed(ctx context.Context, tasks []Task) ([]bool, error) {
	origins := make([]dedupe.Origin, len(tasks))
	for i, t := range tasks {
		origins[i] = originOf(rawTopicOf(t.HydrateTask, w.slot.RawTopicID), t.GetRaw(), t.GetEnvelope(), t.Replay)
		delete(w.aside, origins[i].Partition) // it is ours, so its repair is, too
	}
	if !w.bypassed() {
		done, err := w.ledger.Disposed(ctx, origins)
		switch {
		case err == nil:
			return done, nil
		case !errors.Is(err, dedupe.ErrUnavailable) || !w.mayBypass():
			return nil, err
		}
		w.noteAway()
		w.bypass()
	}
	for _, o := range origins {
		w.ledger.Forget(o.Partition) // if the store is back when the batch is claimed, it is polled again
	}
	return w.recall(ctx, origins)
}
