package normalize

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// errStays: a Keeper was given a session that it cannot work with.
var errStays = errors.New("normalize: the source keeps records, and the session cannot leave the group before them")

// lose tells a source that keeps records which partitions went or came; nil: all.
func (w *worker) lose(partitions []int32) {
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
// read again.
func (w *worker) recall(ctx context.Context, origins []dedupe.Origin) ([]bool, error) {
	done := make([]bool, len(origins))
	of := make(map[int32][]int)
	for i, o := range origins {
		of[o.Partition] = append(of[o.Partition], i)
	}
	for p, all := range of {
		if w.recalled[p] == nil {
			w.recalled[p] = w.ledger.Recall(p)
		}
		asked := make([]dedupe.Origin, len(all))
		for n, i := range all {
			asked[n] = origins[i]
		}
		answers, err := w.recalled[p].Disposed(ctx, asked)
		if err != nil {
			return nil, err
		}
		for n, i := range all {
			done[i] = answers[n]
		}
	}
	return done, nil
}
