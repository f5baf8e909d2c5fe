package normalize

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/schemas"
)

// step takes one batch through all of it:
//
//	repair     partitions that came to us      a crash leaves a true sentinel; the next owner goes on
//	poll                                       nothing happened yet
//	interpret  pure                            nothing happened yet
//	claim      one pipeline to Redis           claims that name real records; the retry knows its own
//	commit     events, dead letters,           all or nothing: readers at read_committed see none of
//	           dispositions, offsets           an aborted attempt, and the next owner reads again
//	mark       with the next batch's claims    dispositions without marks: the next repair writes them
//
// ctx ends polling; work ends what is under way, a grace later. It says whether it committed.
func (w *worker) step(ctx, work context.Context) (bool, error) {
	if err := w.repair(ctx); err != nil || ctx.Err() != nil {
		return false, err
	}
	records, err := w.poll(ctx)
	if err != nil {
		return false, err
	}
	if len(records) == 0 {
		return false, w.flush(ctx)
	}
	w.progress.took(records[0].Timestamp)
	w.metrics.batch.Observe(float64(len(records)))
	defer w.share()()
	suspect := harmless
	if !w.bypassed() {
		suspect = w.guard.enter(work, w.ledger, records)
	}
	if suspect == oneByOne {
		w.log.Warn("processes died over this batch; reading it record by record", "partition", records[0].Partition, "offset", records[0].Offset)
		return false, w.giveBack(ctx, work, dedupe.ErrUnrepaired)
	}
	readings, err := w.interpret(records, suspect == crasher)
	if err != nil {
		return false, err
	}
	items := make([]dedupe.Item, len(readings))
	for i, r := range readings {
		items[i] = r.item(w.keys)
	}
	verdicts, err := w.claim(work, items)
	if err != nil {
		return false, w.giveBack(ctx, work, err)
	}
	committed, err := w.commit(work, readings, items, verdicts)
	if err == nil && !committed {
		w.aborted(ctx)
	}
	return committed, err
}

// aborted waits where trying again at once would only be refused again: a full disk, a missing
// right, a topic that takes nothing. Partitions that move need no wait.
func (w *worker) aborted(ctx context.Context) {
	reason := w.slot.Refused()
	if reason == nil {
		return
	}
	w.state.set(fmt.Errorf("%w: %w", ErrRefused, reason))
	w.log.Warn("nothing is skipped; the batch is tried again", "error", reason)
	_ = sleep(ctx, w.refused.next())
}

// poll asks for the next batch: briefly while marks are pending, so that they are soon written, and
// never so long that a partition which came to us waits for its repair.
func (w *worker) poll(ctx context.Context) ([]*kgo.Record, error) {
	limit := pollLimit
	if w.ledger.Pending() {
		limit = pollPending
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	records, err := w.slot.Session.Poll(ctx, w.guard.limit(w.o.Batch))
	if err == nil {
		return records, nil
	}
	if w.o.Judge(err) == Passing {
		w.log.Warn("reading the raw topic", "error", err)
		_ = sleep(ctx, backoffFirst)
		return records, nil
	}
	return nil, w.judge(err, time.Time{})
}

// interpret reads the batch, or buries it unread where processes died over it. Only a fault in our
// own rules fails it.
func (w *worker) interpret(records []*kgo.Record, bury bool) ([]*Reading, error) {
	read := w.reads.Interpret
	if bury {
		read = w.reads.giveUp
	}
	readings := make([]*Reading, len(records))
	for i, r := range records {
		readings[i] = read(RawRecord{
			Topic: r.Topic, TopicID: w.slot.RawTopicID, Partition: r.Partition, Offset: r.Offset,
			Time: r.Timestamp, Key: r.Key, Value: r.Value,
		})
		if err := readings[i].Err; err != nil {
			return nil, stopError{err}
		}
		if stack := readings[i].Stack; stack != nil {
			w.log.Error("a record panicked and becomes a dead letter", "partition", r.Partition, "offset", r.Offset, "stack", string(stack))
		}
	}
	return readings, nil
}

// commit writes the batch and, once it is committed, remembers which marks that makes true.
func (w *worker) commit(ctx context.Context, readings []*Reading, items []dedupe.Item, verdicts []dedupe.Verdict) (bool, error) {
	var out []*schemas.Outgoing
	last := make([]int, len(readings)) // index after each record's disposition
	now := time.Now()
	for i, r := range readings {
		out = append(out, r.Outgoing(verdicts[i], now)...)
		last[i] = len(out)
	}
	start := time.Now()
	committed, err := w.slot.Session.Commit(ctx, out)
	w.metrics.duration.Observe(time.Since(start).Seconds())
	switch {
	case err != nil:
		w.metrics.transactions.WithLabelValues("failed").Inc()
		return false, w.judge(err, start)
	case !committed:
		w.metrics.transactions.WithLabelValues("aborted").Inc()
		return false, nil
	}
	w.metrics.transactions.WithLabelValues("committed").Inc()
	w.refused = backoff{}
	w.state.end(ErrRefused)
	dispositions := make([]int64, len(readings))
	for i, r := range readings {
		dispositions[i] = -1
		if verdicts[i].Action != dedupe.Nothing {
			dispositions[i] = out[last[i]-1].Offset
		}
		w.progress.reached(r.Raw.Partition, r.Raw.Offset+1)
	}
	w.ledger.Settle(items, verdicts, dispositions)
	w.metrics.committed(readings, verdicts)
	return true, nil
}

// flush writes pending marks when no batch came to carry them.
func (w *worker) flush(ctx context.Context) error {
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
	case errors.Is(err, dedupe.ErrAway):
		return w.storeAway(ctx, err)
	case err == nil:
		w.answering()
	}
	return err
}
