package normalize

import (
	"context"
	"errors"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// mark writes pending marks when no batch came to carry them.
func (w *worker) mark(ctx context.Context) error {
	w.progress.idle()
	w.guard.rest(ctx)
	var drift *dedupe.DriftError
	switch err := w.ledger.Advance(ctx); {
	case errors.As(err, &drift):
		return w.judgeStore(ctx, err)
	case err != nil:
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
