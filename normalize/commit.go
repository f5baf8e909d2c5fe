package normalize

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// commit writes the batch and, once it is committed, remembers which marks that makes true.
func (w *worker) commit(ctx context.Context, b *batch) (bool, error) {
	out, last, err := b.records(w.o.Now())
	if err != nil {
		return false, stopError{err}
	}
	if err := w.stayAt(b.offsets); err != nil {
		return false, stopError{err}
	}
	start := time.Now()
	committed, err := w.slot.Session.Commit(ctx, out)
	w.metrics.duration.Observe(time.Since(start).Seconds())
	switch {
	case err != nil:
		w.metrics.transactions.WithLabelValues("failed").Inc()
		w.shorten(b, err, start)
		return false, w.judge(err)
	case !committed:
		w.metrics.transactions.WithLabelValues("aborted").Inc()
		w.shorten(b, w.slot.Refused(), start)
		return false, nil
	}
	w.metrics.transactions.WithLabelValues("committed").Inc()
	w.size.written(time.Since(start), w.o.TransactionTimeout, w.o.Batch)
	w.refused = backoff{}
	w.state.end(ErrRefused)
	w.settle(b, out, last)
	w.metrics.committed(b.readings, b.verdicts)
	return true, nil
}

// records are what the batch becomes, and the index after what each of its readings does.
func (b *batch) records(now time.Time) (out []record.Outgoing, last []int, err error) {
	builder := newBuilder(now, 2*len(b.readings))
	last = make([]int, len(b.readings))
	for i, r := range b.readings {
		if err := builder.add(r, &b.verdicts[i]); err != nil {
			return nil, nil, err
		}
		last[i] = len(builder.out)
	}
	return builder.out, last, nil
}

// settle gives the ledger the offsets of a committed batch's dispositions.
func (w *worker) settle(b *batch, out []record.Outgoing, last []int) {
	verdicts, dispositions := make([]dedupe.Verdict, len(b.items)), make([]int64, len(b.items))
	for n, i := range b.at {
		verdicts[n], dispositions[n] = b.verdicts[i], -1
		if b.readings[i].disposes(&b.verdicts[i]) {
			dispositions[n] = out[last[i]-1].Offset
		}
	}
	for _, r := range b.readings {
		w.progress.reached(r.In.Partition, r.In.Offset+1, r.In.Time)
	}
	for p, at := range b.offsets {
		w.progress.stands(p, at)
	}
	w.ledger.Settle(b.items, verdicts, dispositions)
}

// aborted waits where an immediate retry would only be refused again: a full disk, a missing
// right, a topic that takes nothing. A rebalance needs no wait.
func (w *worker) aborted(ctx context.Context) {
	reason := w.slot.Refused()
	if reason == nil {
		return
	}
	parts := slices.Sorted(maps.Keys(w.polled))
	w.state.set(&placed{w.slot.Topic, parts, fmt.Errorf("%w: %w", ErrRefused, reason)})
	w.log.Warn("transaction aborted; nothing is skipped, retrying the batch", "topic", w.slot.Topic, "partitions", parts, "error", reason)
	_ = dedupe.Sleep(ctx, w.refused.next())
}
