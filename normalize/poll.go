package normalize

import (
	"context"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

const (
	pollLimit   = 500 * time.Millisecond // how long a poll may wait while nothing else is to be done
	pollPending = 25 * time.Millisecond  // the same while marks wait to be written
)

// poll asks for records, never for so long that a partition which came to us waits for its repair.
// suspicious: processes died over what came, and it must not be looked at as it is.
func (w *worker) poll(ctx context.Context, p Poll) (records []*kgo.Record, suspicious bool, err error) {
	ctx, done := p.Wakeup.during(ctx)
	defer done()
	ctx, awake := w.wakeup.during(ctx)
	defer awake()
	ctx, cancel := context.WithTimeout(ctx, w.limit(p))
	defer cancel()
	most := w.size.of(p.Max, w.inHand)
	if most <= 0 {
		<-ctx.Done()
		return nil, false, nil
	}
	if w.readsSingly() {
		most = 1
	}
	records, err = w.slot.Session.Poll(ctx, w.guard.limit(most))
	switch {
	case err == nil:
		w.took(records)
		return records, w.suspect(context.WithoutCancel(ctx), records), nil
	case w.o.Sessions.Judge(err) == Passing:
		w.log.Warn("polling failed", "error", err)
		_ = dedupe.Sleep(ctx, backoffFirst)
		return records, false, nil
	}
	return nil, false, w.judge(err)
}

// limit is how long a poll may take.
func (w *worker) limit(p Poll) time.Duration {
	switch {
	case p.Limit > 0:
		return min(p.Limit, pollLimit)
	case w.ledger.Pending(), w.moving:
		return pollPending // marks are soon written
	}
	return pollLimit
}

// took notes how far was polled, and goes back to whole batches behind a suspicious one.
func (w *worker) took(records []*kgo.Record) {
	w.inHand += len(records)
	for _, r := range records {
		w.polled[r.Partition] = r.Offset
		if until, ok := w.singly[r.Partition]; ok && r.Offset >= until {
			delete(w.singly, r.Partition)
		}
	}
}

// readsSingly reports whether records are polled, and written, one by one.
func (w *worker) readsSingly() bool { return len(w.singly) > 0 || len(w.guard.alone) > 0 }

// readSingly has what was polled in this step read record by record when it comes again.
func (w *worker) readSingly() { maps.Copy(w.singly, w.polled) }

// suspect counts an attempt at records before they are interpreted.
func (w *worker) suspect(ctx context.Context, records []*kgo.Record) bool {
	if len(records) == 0 {
		return false
	}
	w.share()
	if w.bypassed() || w.guard.enter(ctx, w.ledger, records) != oneByOne {
		return false
	}
	w.log.Warn("processes died over this batch; looking for the poison pill, record by record", "partition", records[0].Partition, "offset", records[0].Offset)
	return true
}

// share keeps the other slots of the process away from a record that is tried alone: one that dies
// with another slot's record is not what killed the process. It lasts until unshare.
func (w *worker) share() {
	switch {
	case w.shared != nil: // since an earlier poll of the same batch
	case len(w.guard.alone) > 0:
		w.alone.Lock()
		w.shared = w.alone.Unlock
	default:
		w.alone.RLock()
		w.shared = w.alone.RUnlock
	}
}

// unshare ends what share began, if anything.
func (w *worker) unshare() {
	if w.shared != nil {
		w.shared()
		w.shared = nil
	}
}
