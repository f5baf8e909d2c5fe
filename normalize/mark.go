package normalize

import (
	"context"
)

// mark writes pending marks when no batch came to carry them.
func (w *worker) mark(ctx context.Context) error {
	w.progress.idle()
	w.guard.rest(ctx)
	if err := w.ledger.Advance(ctx); err != nil {
		w.log.Debug("the watermarks stay where they are", "error", err) // the next repair reads more
	}
	if !w.ledger.Pending() {
		w.tryStore(ctx)
		return nil
	}
	if err := w.ledger.Flush(ctx); err != nil {
		return w.judgeStore(ctx, err)
	}
	w.answering()
	return nil
}
