package normalize

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// recallBefore is how much older than its delivery a disposition may seem: clocks differ.
const recallBefore = time.Hour

// errStays: a Keeper was given a session that it cannot work with.
var errStays = errors.New("normalize: the source keeps records, and the session cannot leave the group before them")

// lose tells a source that keeps records which partitions went or came; nil: all.
func (w *worker) lose(partitions []int32) {
	if partitions == nil {
		clear(w.recalled)
	}
	for _, p := range partitions {
		delete(w.recalled, p)
	}
	if k, ok := w.source.(Keeper); ok {
		k.Lose(partitions)
	}
}

// undo tells it that the session goes back to the last commit.
func (w *worker) undo() {
	if k, ok := w.source.(Keeper); ok {
		k.Undo()
	}
}

// moved reports whether partitions came or went since the source was last told. What was polled then may be
// of a partition that it is about to lose, and must not be kept.
func (w *worker) moved(records []*kgo.Record) bool {
	_, keeps := w.source.(Keeper)
	return keeps && len(records) > 0 && w.owned.moved()
}

// stayAt says where the group stays with the next commit.
func (w *worker) stayAt(offsets map[int32]int64) error {
	if offsets == nil {
		return nil
	}
	h, ok := w.slot.Session.(stayer)
	if !ok {
		return errStays
	}
	h.StayAt(offsets)
	return nil
}

// recall is what disposed would be told by the store, from the dispositions in Kafka: a partition that came to us is
// read again from its first open task on, and nearly all behind that is done with. What is disposed of later is not
// read again, so each partition's dispositions are read once.
func (w *worker) recall(ctx context.Context, origins []dedupe.Origin) ([]bool, error) {
	since := make(map[int32]time.Time)
	for _, o := range origins {
		if at, ok := since[o.Partition]; !ok || o.ReceivedAt.Before(at) {
			since[o.Partition] = o.ReceivedAt
		}
	}
	for p, at := range since {
		if w.recalled[p] != nil || w.o.Log == nil {
			continue
		}
		known := make(map[dedupe.Origin]bool)
		_, err := w.o.Log.History(ctx, p, record.ScanFrom{Time: at.Add(-recallBefore)}, func(_ int64, value []byte) error {
			d := &kycv1.Disposition{}
			if contract.Unmarshal(value, d) != nil {
				return nil
			}
			if origin, ok := dedupe.OriginOf(d); ok {
				known[origin] = true
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("dispositions of partition %d: %w", p, err)
		}
		w.recalled[p] = known
	}
	done := make([]bool, len(origins))
	for i, o := range origins {
		done[i] = w.recalled[o.Partition][o]
	}
	return done, nil
}
