package dedupe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	repairChunk = 1000 // marks per transaction of Redis
	// repairStride is after how many dispositions the watermark moves where few of them have a mark, so that
	// a repair which is cut off again and again ends all the same.
	repairStride = 10_000
	// lookMost is how many dispositions are read back at most in search of the stage's last one: what is
	// further behind is found by the repair itself, or is older than any mark.
	lookMost = 32_768
)

var (
	// ErrMoved: another worker repairs the same partition, or Redis lost data meanwhile. The partition is
	// not repaired; trying again is harmless.
	ErrMoved = errors.New("redis: the watermark changed during its repair")
	// ErrWentBack: Kafka's logs do not hold what the marks in Redis stand for, as when its data were put
	// back to an earlier copy. Offsets are given anew then, and a mark would drop a delivery that is
	// nowhere else, so none of them is believed until they are discarded.
	ErrWentBack = errors.New("kafka went back behind the marks in redis")
	// ErrPepper: the marks in Redis, or the dispositions they are made of, were made with another pepper.
	ErrPepper = errors.New("another pepper was used before")
)

// WentBack is an ErrWentBack: what was found, and the way out.
func WentBack(found string, args ...any) error {
	return fmt.Errorf("%w: %s: if its data were put back to a copy, run 'kycbridge marks discard'; until then copies would be dropped for deliveries that are lost", ErrWentBack, fmt.Sprintf(found, args...))
}

// BeginRepair forgets a partition and returns the repair of its marks, which is called for each partition
// that comes to this worker, and again after a DriftError. Several may run at once, in any goroutine; Adopt
// ends one that ran without an error.
func (l *Ledger) BeginRepair(p int32) *Repair {
	l.Forget(p)
	r := &Repair{store: l.store, o: l.o, partition: p, distrusts: l.distrusted[p]}
	return r
}

// Adopt takes over what a repair has found, once it ran without an error.
func (l *Ledger) Adopt(r *Repair) {
	delete(l.distrusted, r.partition)
	l.parts[r.partition] = &partition{stored: r.state.String(), state: r.state, placed: r.placed || r.state.highest >= 0}
}

// Repair repairs a partition: BeginRepair, Run and Adopt.
func (l *Ledger) Repair(ctx context.Context, p int32) (marks int, err error) {
	r := l.BeginRepair(p)
	if marks, err = r.Run(ctx); err == nil {
		l.Adopt(r)
	}
	return marks, err
}

// Distrust forgets a partition of which Redis lost marks without its watermark: the next repair writes all
// of them.
func (l *Ledger) Distrust(p int32) {
	l.Forget(p)
	l.distrusted[p] = true
}

// Repair writes every mark of a partition that Redis may lack, out of the disposition topic, and
// then takes the watermark over.
//
// It first puts its own word into the watermark and moves it with every chunk of marks, in their
// transaction: a flush or a rollback during the repair then fails the next move, and with it the repair
// (ErrMoved). A process that dies in the middle leaves a watermark that is true.
type Repair struct {
	store     backend
	o         LedgerOptions
	partition int32
	unlimited bool // nothing is written on the way
	distrusts bool // the watermark vouches for marks that are not there

	placed  bool      // the highest raw offset disposed of is known, or that there is none
	now     time.Time // as the newest disposition bounds it
	stored  []string  // per shard; a single one stands for all
	state   watermark
	pepper  []byte // of the newest disposition that was read
	place   int    // in the queue
	marks   []Mark
	spare   []Mark // its memory is used again
	reading brief
	unmoved int         // dispositions read since the watermark moved
	moving  chan landed // what is on its way to Redis while the next is read; nil nothing
	written int
}

// landed is how a move ended.
type landed struct {
	to    string
	marks []Mark
	err   error
}

// Partition is the one that is repaired.
func (r *Repair) Partition() int32 { return r.partition }

// Run returns how many marks it wrote.
func (r *Repair) Run(ctx context.Context) (marks int, err error) {
	if err := r.run(ctx); err != nil {
		return r.written, fmt.Errorf("repairing the marks of raw partition %d: %w", r.partition, err)
	}
	return r.written, nil
}

// Check is the error that Run would return before it writes anything, such as ErrWentBack; nil where it would go on.
// It writes nothing itself.
func (r *Repair) Check(ctx context.Context) error {
	if err := r.read(ctx); err != nil {
		return err
	}
	_, err := r.bounds(ctx)
	return err
}

// read takes up what Redis says of the partition.
func (r *Repair) read(ctx context.Context) error {
	reply, err := r.store.Exchange(ctx, Round{Reads: []string{r.o.watermarkKey(r.partition)}})
	if err != nil {
		return err
	}
	r.stored = reply.Seen[0]
	r.state = leastWatermark(r.stored)
	return r.checkPepper(r.state.pepper, "redis")
}

func (r *Repair) run(ctx context.Context) error {
	r.place = r.o.Repairs.begin()
	if err := r.read(ctx); err != nil {
		return err
	}
	newest, err := r.look(ctx)
	if err != nil {
		return err
	}
	r.state.owner = newOwner()
	if r.distrusts {
		r.state.next = -1
	}
	if err := r.moveNow(ctx); err != nil {
		return err
	}
	defer func() { _ = r.land() }() // after an error; without one nothing is on its way
	next, err := r.o.History(ctx, r.partition, r.from(newest), func(offset int64, value []byte) error {
		return r.note(ctx, offset, value)
	})
	if err != nil {
		return err
	}
	if r.state.pepper == "" {
		if err := r.checkPepper(pepperID(r.pepper), "its dispositions"); err != nil {
			return err
		}
	}
	r.state.next, r.state.pepper = max(r.state.next, next), cmp.Or(r.o.Pepper, r.state.pepper)
	return r.moveNow(ctx)
}

// from is where the marks begin that Redis may lack: behind the watermark, and no older than their life.
func (r *Repair) from(newest time.Time) record.ScanFrom {
	r.now = r.o.Now()
	if !newest.IsZero() && newest.Before(r.now) {
		// A clock that is ahead by more than their life would find no mark alive.
		r.now = newest
	}
	return record.ScanFrom{Offset: max(r.state.next, 0), Time: r.now.Add(-r.o.TTL)}
}

// look holds the watermark against the logs, finds the highest raw offset disposed of where the watermark
// does not know it, and returns when the newest disposition was decided. Without bounds it believes
// everything.
func (r *Repair) look(ctx context.Context) (newest time.Time, err error) {
	if r.o.Bounds == nil {
		return newest, nil
	}
	bounds, err := r.bounds(ctx)
	if err != nil {
		return newest, err
	}
	for back := int64(64); ; back *= 8 {
		from := max(bounds.Dispositions.End-back, bounds.Dispositions.Start, 0)
		reached := r.state
		_, err := r.o.History(ctx, r.partition, record.ScanFrom{Offset: from}, func(offset int64, value []byte) error {
			d := r.reading.read(value)
			newest = later(newest, d.GetDecidedAt().AsTime())
			if r.o.ours(d) && d.GetStage() == r.o.Stage {
				reached.reach(d.GetRaw().GetOffset(), offset)
			}
			return nil
		})
		// Behind the stage's last one are few but other stages' and replays'. Only the normaliser's place
		// depends on it.
		whole := from <= max(bounds.Dispositions.Start, 0)
		r.placed = reached.last >= 0 || whole
		if err != nil || whole || !newest.IsZero() && (r.placed || back >= lookMost || r.o.Stage != kycv1.Stage_STAGE_NORMALIZE) {
			r.state.highest, r.state.last = reached.highest, reached.last
			return newest, err
		}
	}
}

// bounds are those of the partition, which the watermark agrees with.
func (r *Repair) bounds(ctx context.Context) (Bounds, error) {
	if r.o.Bounds == nil {
		return Bounds{}, nil
	}
	// The logs only grow: what Redis vouched for before it was read is there now.
	bounds, err := r.o.Bounds(ctx, r.partition)
	if err != nil {
		return Bounds{}, err
	}
	return bounds, r.checkBounds(ctx, bounds)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// checkBounds returns ErrWentBack where Kafka does not hold what the watermark says: dispositions or raw
// records beyond the ends, or another disposition where this stage's last one was.
func (r *Repair) checkBounds(ctx context.Context, b Bounds) error {
	next := furthest(r.stored, r.state.generation)
	last := r.state.last
	switch {
	case next > b.Dispositions.End:
		return WentBack("marks are written up to disposition %d, the partition ends at %d", next, b.Dispositions.End)
	case r.state.highest >= b.Raw.End && r.o.Stage == kycv1.Stage_STAGE_NORMALIZE: // tasks may be of a raw topic that is gone
		return WentBack("raw offset %d was disposed of, the partition ends at %d", r.state.highest, b.Raw.End)
	case last < max(b.Dispositions.Start, 0):
		return nil // not known, or removed by retention
	}
	found := false
	_, err := r.o.History(ctx, r.partition, record.ScanFrom{Offset: last}, func(offset int64, value []byte) error {
		if offset == last {
			d := r.reading.read(value)
			at := d.GetRaw().GetOffset()
			found = r.o.ours(d) && d.GetStage() == r.o.Stage && at == r.state.highest
		}
		return errPassed
	})
	if err != nil && !errors.Is(err, errPassed) {
		return err
	}
	if !found {
		return WentBack("raw offset %d was disposed of at disposition %d, where another record is now", r.state.highest, last)
	}
	return nil
}

// checkPepper refuses marks of another pepper: copies of what they stand for would not be recognised.
func (r *Repair) checkPepper(found, where string) error {
	if found == "" || r.o.Pepper == "" || found == r.o.Pepper || r.o.AnyPepper {
		return nil
	}
	return fmt.Errorf("%w: %s has its fingerprint %s, the configured one has %s: configure the pepper of before, or set dedupe.accept_other_pepper, after which copies of what was published with it are published again", ErrPepper, where, found, r.o.Pepper)
}

// note takes one disposition up, and writes a chunk when there is enough for one.
func (r *Repair) note(ctx context.Context, offset int64, value []byte) error {
	r.state.next = offset + 1
	r.unmoved++
	if d := r.reading.read(value); r.o.ours(d) {
		r.take(offset, d)
	} else if r.o.formerly(d) {
		r.marks = r.o.marks(r.marks, d, r.now, r.state)
	}
	if r.unlimited || len(r.marks) < repairChunk && r.unmoved < repairStride {
		return nil
	}
	return r.move(ctx)
}

func (r *Repair) take(offset int64, d *kycv1.Disposition) {
	if d.GetStage() == r.o.Stage {
		r.state.reach(d.GetRaw().GetOffset(), offset)
	}
	if id := d.GetPepperId(); len(id) > 0 {
		r.pepper = append(r.pepper[:0], id...)
	}
	r.marks = r.o.marks(r.marks, d, r.now, r.state)
}

// moveNow is move and its end.
func (r *Repair) moveNow(ctx context.Context) error {
	if err := r.move(ctx); err != nil {
		return err
	}
	return r.land()
}

// move sends the collected marks, and the watermark that vouches for them then, once what was sent before is written:
// while Redis works on one chunk the next is read, and it stands in the queue before the turn ends.
func (r *Repair) move(ctx context.Context) error {
	if err := r.o.Repairs.enter(ctx, r.place); err != nil {
		return err
	}
	if err := r.land(); err != nil {
		r.o.Repairs.leave()
		return err
	}
	move := Move{Watermark: r.o.watermarkKey(r.partition), From: r.stored, To: r.state.String()}
	marks, moving := r.marks, make(chan landed, 1)
	r.marks, r.spare, r.unmoved, r.moving = r.spare[:0], nil, 0, moving
	go func() {
		defer r.o.Repairs.leave()
		reply, err := r.store.Exchange(ctx, Round{Marks: marks, Moves: []Move{move}})
		if err == nil && !move.accepts(reply.Before[0]) {
			err = ErrMoved
		}
		moving <- landed{move.To, marks, err}
	}()
	return nil
}

// land waits for what is on its way.
func (r *Repair) land() error {
	if r.moving == nil {
		return nil
	}
	done := <-r.moving
	r.moving, r.spare = nil, done.marks
	if done.err != nil {
		return done.err
	}
	r.written += len(done.marks)
	r.stored = []string{done.to}
	return nil
}

// ours reports whether a disposition is about the topic we read, by a stage that claims in our name.
func (o LedgerOptions) ours(d *kycv1.Disposition) bool {
	return d != nil && SameOffsets(o.Former, o.TopicID, claimedTopic(d)) && o.claims(d.GetStage())
}

// formerly reports whether a disposition is about a topic that we read before.
func (o LedgerOptions) formerly(d *kycv1.Disposition) bool {
	return d != nil && IsFormer(o.Former, claimedTopic(d)) && o.claims(d.GetStage())
}

func (o LedgerOptions) claims(stage kycv1.Stage) bool {
	return stage == o.Stage || stage == kycv1.Stage_STAGE_REPLAY
}

// claimedTopic is the topic of the record in whose name a disposition claims.
func claimedTopic(d *kycv1.Disposition) [16]byte {
	if d.GetClaimed() != nil {
		return TopicID(d.GetClaimedTopicId())
	}
	return TopicID(d.GetRawTopicId())
}

// claimedAt is the record in whose name a disposition claims.
func claimedAt(d *kycv1.Disposition) *kycv1.RawPosition {
	if d.GetClaimed() != nil {
		return d.GetClaimed()
	}
	return d.GetRaw()
}

// marks adds the done marks a disposition stands for, for the rest of their life: that of what it
// claims, and that of its origin. A replay is no final disposition: the origin keeps its own.
func (o LedgerOptions) marks(marks []Mark, d *kycv1.Disposition, now time.Time, w watermark) []Mark {
	left := min(o.TTL-now.Sub(d.GetDecidedAt().AsTime()), o.TTL)
	if left <= 0 {
		return marks
	}
	at := claimedAt(d)
	claim := Claim{State: Done, Partition: at.GetPartition(), Offset: at.GetOffset()}
	copy(claim.Hash[:], d.GetContentHash())
	if d.GetKind() != kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE && len(d.GetDedupeKey()) == KeySize {
		marks = append(marks, Mark{Key: w.keep(Key(d.GetDedupeKey())), Claim: claim, TTL: left})
	}
	if origin, ok := OriginOf(d); ok && d.GetStage() == o.Stage {
		mark := o.originMark(origin, claim, w)
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
