package normalize

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
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
	defer w.unshare()
	limit := pollLimit
	if w.ledger.Pending() {
		limit = pollPending // marks are soon written
	}
	clear(w.polled)
	readings, err := w.source.Next(ctx, Input{
		Slot: w.slot, Limit: limit, Poll: w.poll, Bury: w.guard.buries,
		Disposed: func(tasks []Task) ([]bool, error) { return w.disposed(work, tasks) },
		Singly:   w.again,
	})
	var back returned
	switch {
	case errors.As(err, &back):
		return false, w.giveBack(ctx, work, back.error)
	case err != nil:
		return false, err
	}
	if len(readings) == 0 {
		return false, w.flush(ctx)
	}
	w.progress.took(readings[0].In.Time)
	w.metrics.batch.Observe(float64(len(readings)))
	b, err := w.batch(readings)
	if err != nil {
		return false, err
	}
	if len(b.items) > 0 {
		verdicts, err := w.claim(work, b.items)
		if err != nil {
			return false, w.giveBack(ctx, work, err)
		}
		b.decide(verdicts)
	}
	committed, err := w.commit(work, b)
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
	_ = dedupe.Sleep(ctx, w.refused.next())
}

// batch is what a Source returned, on its way through a transaction.
type batch struct {
	readings []*Reading
	verdicts []dedupe.Verdict // one for each reading; of no meaning for a Pass
	items    []dedupe.Item    // the readings that are to be decided
	at       []int            // and which they are
}

// batch looks the readings over. Only a fault in our own rules fails it.
func (w *worker) batch(readings []*Reading) (*batch, error) {
	b := &batch{
		readings: readings, verdicts: make([]dedupe.Verdict, len(readings)),
		items: make([]dedupe.Item, 0, len(readings)), at: make([]int, 0, len(readings)),
	}
	for i, r := range readings {
		if r.Err != nil {
			return nil, stopError{r.Err}
		}
		if r.Stack != nil {
			w.log.Error("a record panicked and becomes a dead letter", "partition", r.In.Partition, "offset", r.In.Offset, "stack", string(r.Stack))
		}
		if r.Pass == nil {
			b.items, b.at = append(b.items, r.Item(w.keys)), append(b.at, i)
		}
	}
	return b, nil
}

func (b *batch) decide(verdicts []dedupe.Verdict) {
	for n, v := range verdicts {
		b.verdicts[b.at[n]] = v
	}
}

// poll asks for records, never for so long that a partition which came to us waits for its repair.
func (w *worker) poll(ctx context.Context, limit time.Duration, max int) ([]*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, min(limit, pollLimit))
	defer cancel()
	if len(w.singly) > 0 {
		max = 1
	}
	records, err := w.slot.Session.Poll(ctx, w.guard.limit(max))
	if err == nil {
		w.took(records)
		return records, w.suspect(context.WithoutCancel(ctx), records)
	}
	if w.o.Judge(err) == Passing {
		w.log.Warn("reading", "error", err)
		_ = dedupe.Sleep(ctx, backoffFirst)
		return records, nil
	}
	return nil, w.judge(err, time.Time{})
}

// took notes how far was polled, and ends reading record by record where it has come to its end.
func (w *worker) took(records []*kgo.Record) {
	for _, r := range records {
		w.polled[r.Partition] = r.Offset
		if until, ok := w.singly[r.Partition]; ok && r.Offset >= until {
			delete(w.singly, r.Partition)
		}
	}
}

// again is Input.Singly.
func (w *worker) again() error {
	maps.Copy(w.singly, w.polled)
	return returned{fmt.Errorf("these records are to be read one by one: %w", dedupe.ErrUnrepaired)}
}

// errOneByOne says that processes died over the records that were polled: they are to be given back and
// polled one by one.
var errOneByOne = returned{fmt.Errorf("processes died over these records: %w", dedupe.ErrUnrepaired)}

// suspect counts an attempt at records before they are interpreted.
func (w *worker) suspect(ctx context.Context, records []*kgo.Record) error {
	if len(records) == 0 {
		return nil
	}
	w.share()
	if w.bypassed() || w.guard.enter(ctx, w.ledger, records) != oneByOne {
		return nil
	}
	w.log.Warn("processes died over this batch; reading it record by record", "partition", records[0].Partition, "offset", records[0].Offset)
	return errOneByOne
}

// commit writes the batch and, once it is committed, remembers which marks that makes true.
func (w *worker) commit(ctx context.Context, b *batch) (bool, error) {
	out := make([]*record.Outgoing, 0, 2*len(b.readings))
	last := make([]int, len(b.readings)) // index after what each record becomes
	now := timestamppb.Now()
	for i, r := range b.readings {
		out = r.appendOutgoing(out, &b.verdicts[i], now)
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
	verdicts, dispositions := make([]dedupe.Verdict, len(b.items)), make([]int64, len(b.items))
	for n, i := range b.at {
		verdicts[n], dispositions[n] = b.verdicts[i], -1
		if b.readings[i].disposes(b.verdicts[i]) {
			dispositions[n] = out[last[i]-1].Offset
		}
	}
	for _, r := range b.readings {
		w.progress.reached(r.In.Partition, r.In.Offset+1)
	}
	w.ledger.Settle(b.items, verdicts, dispositions)
	w.metrics.committed(b.readings, b.verdicts)
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
