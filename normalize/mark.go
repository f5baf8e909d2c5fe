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
	if !w.ledger.Pending() {
		return nil
	}
	err := w.ledger.Flush(ctx)
	var drift *dedupe.DriftError
	switch {
	case errors.As(err, &drift):
		w.log.Warn("repairing marks", "error", err)
		return nil
	case errors.Is(err, dedupe.ErrUnavailable):
		return w.storeAway(ctx, err)
	case err == nil:
		w.answering()
	}
	return err
}
