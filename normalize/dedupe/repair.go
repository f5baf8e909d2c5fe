package dedupe

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const repairChunk = 1000 // marks per pipeline

// ErrMoved: another worker repairs the same partition, or Redis lost data meanwhile. The partition is
// not repaired; trying again is harmless.
var ErrMoved = errors.New("redis: the watermark changed during its repair")

// Repair writes every mark of a partition that Redis may lack, out of the disposition topic, and
// then takes the watermark over. It is called for each partition that comes to this worker, and again
// after a DriftError. It returns how many marks it wrote.
//
// It first puts its own word into the watermark and moves it with every chunk of marks, in their
// pipeline: a flush or a rollback during the repair then fails the next move, and with it the repair
// (ErrMoved). A process that dies in the middle leaves a watermark that is true.
func (l *Ledger) Repair(ctx context.Context, p int32) (marks int, err error) {
	l.Forget(p)
	r := &repair{ledger: l, partition: p}
	if err := r.run(ctx); err != nil {
		return r.written, fmt.Errorf("repairing the marks of raw partition %d: %w", p, err)
	}
	return r.written, nil
}

// repair is one attempt at one partition.
type repair struct {
	ledger    *Ledger
	partition int32
	stored    []string // per shard; a single one stands for all
	state     watermark
	marks     []Mark
	written   int
}

func (r *repair) run(ctx context.Context) error {
	l := r.ledger
	key := l.watermarkKey(r.partition)
	reply, err := l.store.Exchange(ctx, Round{Reads: []string{key}})
	if err != nil {
		return err
	}
	r.stored = reply.Seen[0]
	r.state = leastWatermark(r.stored)
	r.state.owner = newOwner()
	if err := r.move(ctx); err != nil {
		return err
	}
	from := record.ScanFrom{Offset: r.state.next}
	if r.state.next < 0 {
		from = record.ScanFrom{Time: l.o.Now().Add(-l.o.TTL)}
	}
	next, err := l.o.History(ctx, r.partition, from, func(offset int64, value []byte) error {
		return r.note(ctx, offset, value)
	})
	if err != nil {
		return err
	}
	r.state.next = next
	if err := r.move(ctx); err != nil {
		return err
	}
	l.parts[r.partition] = &partition{stored: r.state.String(), state: r.state}
	return nil
}

// note takes one disposition up, and writes a chunk when there is enough for one.
func (r *repair) note(ctx context.Context, offset int64, value []byte) error {
	r.state.next = offset + 1
	d, ok := r.ledger.own(value)
	if !ok {
		return nil
	}
	if d.GetStage() == r.ledger.o.Stage {
		r.state.highest = max(r.state.highest, d.GetRaw().GetOffset())
	}
	r.marks = append(r.marks, r.ledger.marks(d)...)
	if len(r.marks) < repairChunk {
		return nil
	}
	return r.move(ctx)
}

// move writes the collected marks and lets the watermark vouch for them.
func (r *repair) move(ctx context.Context) error {
	move := Move{Watermark: r.ledger.watermarkKey(r.partition), From: r.stored, To: r.state.String()}
	reply, err := r.ledger.store.Exchange(ctx, Round{Marks: r.marks, Moves: []Move{move}})
	if err != nil {
		return err
	}
	if !move.accepts(reply.Before[0]) {
		return ErrMoved
	}
	r.written += len(r.marks)
	r.stored, r.marks = []string{move.To}, r.marks[:0]
	return nil
}

// own reads a disposition and reports whether it is about the topic we read, by a stage that claims in
// our name. What cannot be read is no disposition of ours.
func (l *Ledger) own(value []byte) (*kycv1.Disposition, bool) {
	d := &kycv1.Disposition{}
	if err := proto.Unmarshal(value, d); err != nil {
		return nil, false
	}
	topic := d.GetRawTopicId()
	if d.GetClaimed() != nil {
		topic = d.GetClaimedTopicId()
	}
	stage := d.GetStage()
	return d, TopicID(topic) == l.o.TopicID && (stage == l.o.Stage || stage == kycv1.Stage_STAGE_REPLAY)
}

// claimedAt is the record in whose name a disposition claims.
func claimedAt(d *kycv1.Disposition) *kycv1.RawPosition {
	if d.GetClaimed() != nil {
		return d.GetClaimed()
	}
	return d.GetRaw()
}

// marks are the done marks a disposition stands for, for the rest of their life: that of what it
// claims, and that of its origin. A replay is no final disposition: the origin keeps its own.
func (l *Ledger) marks(d *kycv1.Disposition) (marks []Mark) {
	left := min(l.o.TTL-l.o.Now().Sub(d.GetDecidedAt().AsTime()), l.o.TTL)
	if left <= 0 {
		return nil
	}
	at := claimedAt(d)
	claim := Claim{State: Done, Partition: at.GetPartition(), Offset: at.GetOffset()}
	copy(claim.Hash[:], d.GetContentHash())
	if d.GetKind() != kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE && len(d.GetDedupeKey()) == KeySize {
		marks = append(marks, Mark{Key: Key(d.GetDedupeKey()), Claim: claim, TTL: left})
	}
	if origin, ok := originOf(d); ok && d.GetStage() == l.o.Stage {
		mark := l.originMark(origin, claim)
		mark.TTL = left
		marks = append(marks, mark)
	}
	return marks
}

// TopicID is the id that a disposition gives for a topic. One of another length is no topic's.
func TopicID(b []byte) (id [16]byte) {
	copy(id[:], b)
	return id
}
