package normalize

import (
	"context"
)

// mark writes pending marks when no batch came to carry them.
func (w *worker) mark(ctx context.Context) error {
	w.progress.idle()
	w.guard.rest(ctx)
	if !w.ledger.Pending() {
		return nil
	}
	if err := w.ledger.Flush(ctx); err != nil {
		return w.judgeStore(ctx, err)
	}
	w.answering()
	return nil
}
