package dedupe

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	// recallMost is how many final dispositions a Recall remembers of one raw topic, 16 bytes each: 32 MiB, and
	// a quarter more where the slice has grown past that.
	recallMost = 1 << 21
	// recallBehind is how many raw offsets before the one that was asked for are remembered, too: tasks are
	// written anew, and so come a little out of order.
	recallBehind = 8192
	// recallEarlier is how much older than its delivery a disposition may seem where the time is asked.
	recallEarlier = time.Hour
)

// Recall tells for one partition what Ledger.Disposed does, from the dispositions in Kafka alone. They are read
// once, from the first one on that may be of an origin that is asked for; what is disposed of later is not known.
//
// It remembers 16 bytes for each final disposition of the stage, and recallMost of them for each raw topic that
// it is asked about: those of the lowest raw offsets. It reads again for an origin beyond those, or before them.
type Recall struct {
	o         LedgerOptions
	partition int32
	most      int
	behind    int64
	topics    map[[16]byte]*recalled // by raw topic
}

// recalled are the final dispositions of a stretch of raw offsets, from is in it and to is not.
type recalled struct {
	from, to int64
	done     []disposed // in order
}

// disposed is an origin that has its final disposition. The word stands for all of it.
type disposed struct {
	offset int64
	word   uint64
}

func (o Origin) disposed() disposed {
	key := o.key([16]byte{})
	return disposed{o.Offset, binary.BigEndian.Uint64(key[:])}
}

// Recall returns a Recall of a partition that has not read anything yet.
func (l *Ledger) Recall(p int32) *Recall {
	return &Recall{o: l.o, partition: p, most: recallMost, behind: recallBehind, topics: make(map[[16]byte]*recalled)}
}

// Disposed reports which origins of the partition have their final disposition by the stage.
func (r *Recall) Disposed(ctx context.Context, origins []Origin) ([]bool, error) {
	done := make([]bool, len(origins))
	if r.o.History == nil {
		return done, nil
	}
	order := make([]int, len(origins))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(origins[a].Offset, origins[b].Offset) })
	for _, i := range order {
		of := origins[i]
		if t := r.topics[of.TopicID]; t == nil || of.Offset < t.from || of.Offset >= t.to {
			delete(r.topics, of.TopicID) // its memory is free before another takes its place
			read, err := r.read(ctx, of)
			if err != nil {
				return nil, fmt.Errorf("dispositions of raw partition %d: %w", r.partition, err)
			}
			r.topics[of.TopicID] = read
		}
		done[i] = r.topics[of.TopicID].has(of)
	}
	return done, nil
}

// read reads the dispositions of origins from a little before one on.
func (r *Recall) read(ctx context.Context, of Origin) (*recalled, error) {
	t := &recalled{from: max(of.Offset-r.behind, 0), to: math.MaxInt64}
	at, err := r.begin(ctx, of, t.from)
	if err != nil {
		return nil, err
	}
	var reading brief
	_, err = r.o.History(ctx, r.partition, record.ScanFrom{Offset: at}, func(_ int64, value []byte) error {
		d := reading.read(value)
		if o, ok := OriginOf(d); ok && d.GetStage() == r.o.Stage && o.TopicID == of.TopicID && o.Offset >= t.from && o.Offset < t.to {
			t.add(o, r.most, of.Offset)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t.order()
	return t, nil
}

// begin is a place before which no origin is disposed of from a raw offset on. The stage disposes of tasks in
// any order, but of none before the normaliser wrote it, and that goes by raw offsets. A replay may write one
// ahead of the normaliser; there, and where offsets were moved past records and back, it is the time that tells.
func (r *Recall) begin(ctx context.Context, of Origin, from int64) (int64, error) {
	at, err := r.o.find(ctx, r.partition, from, func(d *kycv1.Disposition) (int64, bool) {
		return d.GetRaw().GetOffset(), d.GetStage() == kycv1.Stage_STAGE_NORMALIZE && TopicID(d.GetRawTopicId()) == of.TopicID
	})
	if err != nil {
		return 0, err
	}
	_, err = r.o.History(ctx, r.partition, record.ScanFrom{Time: of.ReceivedAt.Add(-recallEarlier)}, func(offset int64, _ []byte) error {
		at = min(at, offset)
		return errPassed
	})
	if err != nil && !errors.Is(err, errPassed) {
		return 0, err
	}
	return at, nil
}

// add notes an origin. Where there are too many, the half of the higher offsets goes, but not the one that is
// asked for.
func (t *recalled) add(o Origin, most int, asked int64) {
	if t.done = append(t.done, o.disposed()); len(t.done) < most {
		return
	}
	if t.order(); len(t.done) <= most/2 {
		return
	}
	t.to = max(t.done[most/2].offset, asked+1)
	keep, _ := slices.BinarySearchFunc(t.done, t.to, func(d disposed, to int64) int { return cmp.Compare(d.offset, to) })
	t.done = t.done[:keep]
}

func (t *recalled) order() {
	slices.SortFunc(t.done, compareDisposed)
	t.done = slices.Compact(t.done)
}

func (t *recalled) has(o Origin) bool {
	_, found := slices.BinarySearchFunc(t.done, o.disposed(), compareDisposed)
	return found
}

func compareDisposed(a, b disposed) int {
	return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.word, b.word))
}
