package dedupe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// backend is the part of Store that a Ledger uses. Every call may be repeated after an error.
type backend interface {
	Exchange(ctx context.Context, r Round) (Reply, error)
	TakeOver(ctx context.Context, expected, next []Mark) ([]*Claim, error)
	Peek(ctx context.Context, keys []Key) ([]*Claim, error)
}

// History reads committed dispositions of one partition in order, from a position to the end offset
// taken at its start, waiting for open transactions to end before it. It returns the offset after
// the last one read. An error of fn ends it and comes back, with the offset of the record it failed on.
type History func(ctx context.Context, partition int32, from record.ScanFrom, fn func(offset int64, value []byte) error) (next int64, err error)

// Extent is the part of a partition that Kafka holds: from the first offset to the one after the last.
type Extent = record.Extent

// Bounds are those of a partition: of the raw topic, and of the dispositions of the same number.
type Bounds = record.Bounds

// LedgerOptions configures a Ledger. Group, the topic ids, TTL and History are required.
type LedgerOptions struct {
	Group         string
	Stage         kycv1.Stage // that claims; NORMALIZE when unset
	TopicID       [16]byte    // of the topic the stage reads
	DispositionID [16]byte    // of the disposition topic
	TTL           time.Duration
	Wait          time.Duration // for an owner in another partition; 1 s
	History       History
	// Bounds are asked when a partition is repaired or read a second time; nil: everything is believed.
	Bounds func(ctx context.Context, partition int32) (Bounds, error)
	// Pepper is its fingerprint, Keyer.PepperID; "": it is not compared.
	Pepper string
	// AnyPepper accepts marks that were made with another pepper, and with it that copies of what they stand
	// for are published again.
	AnyPepper bool
	// Former are topics that the stage read before; Item.Former has a key for each.
	Former []Former
	// Repairs orders what the repairs of several ledgers write; nil: nothing.
	Repairs *Queue
	// Rule decides; nil means Decide. A test puts a faulty rule here to prove that it can see a loss.
	Rule func(own Claim, found *Claim) Step
	Now  func() time.Time
}

// Ledger decides the batches of one worker slot, and remembers for each of its partitions which
// marks are still to be written and what the watermark must say. It is not safe for concurrent use.
type Ledger struct {
	store backend
	o     LedgerOptions
	parts map[int32]*partition

	distrusted map[int32]bool // see Distrust
}

// partition is one partition that was repaired since it came to us and not lost since.
type partition struct {
	advanced time.Time // when it followed the others last
	stored   string    // the watermark as Redis has it in every shard, if Redis lost nothing
	placed   bool      // see Next
	state    watermark // what it will say once the pending marks are written
	pending  []Mark
	cursor   cursor
	open     map[Key]bool // origins of tasks that are known to have no final disposition yet
}

// DriftError: Redis is not as we left it, and marks may be missing. The batch must be given back and
// the partitions repaired before anything is claimed in them.
type DriftError struct{ Partitions []int32 }

// Error names the partitions.
func (e *DriftError) Error() string {
	return fmt.Sprintf("redis: the watermark of raw partition(s) %v is not what this worker wrote: data was lost, or another worker took over; marks must be written again", e.Partitions)
}

// ErrUnrepaired: a partition of the batch was not repaired since it was assigned to this worker. Give
// the batch back, and call Repair.
var ErrUnrepaired = errors.New("the marks of a partition are not repaired yet")

// NewLedger returns a Ledger without partitions.
func NewLedger(store backend, o LedgerOptions) *Ledger {
	if o.Rule == nil {
		o.Rule = Decide
	}
	if o.Stage == kycv1.Stage_STAGE_UNSPECIFIED {
		o.Stage = kycv1.Stage_STAGE_NORMALIZE
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Wait = or(o.Wait, time.Second)
	return &Ledger{store: store, o: o, parts: make(map[int32]*partition), distrusted: make(map[int32]bool)}
}

// Repaired reports whether the partition's marks are known to be complete.
func (l *Ledger) Repaired(p int32) bool { return l.parts[p] != nil }

// Next is the raw offset after the highest one that is disposed of, 0 where none ever was, and -1 where that
// is not known: the normaliser's place in a repaired partition, whatever its consumer group says. It is of no
// meaning to a stage that reads tasks.
func (l *Ledger) Next(p int32) int64 {
	if part := l.parts[p]; part != nil && part.placed {
		return part.state.highest + 1
	}
	return -1
}

// Forget drops what is known of a partition that was lost, or whose marks are in doubt. Pending
// marks go with it: whoever repairs the partition next writes them.
func (l *Ledger) Forget(p int32) { delete(l.parts, p) }

// Pending reports whether marks wait to be written.
func (l *Ledger) Pending() bool {
	for _, part := range l.parts {
		if part.dirty() {
			return true
		}
	}
	return false
}

func (p *partition) dirty() bool { return p.state.String() != p.stored }

// Claim decides every record of a batch; each of its partitions must be repaired. The records of a
// partition come in offset order. On an error nothing may be published; asking again is harmless.
func (l *Ledger) Claim(ctx context.Context, items []Item) ([]Verdict, error) {
	verdicts := make([]Verdict, len(items))
	parts := partitionsOf(items)
	if missing := l.missing(parts); len(missing) > 0 {
		return nil, fmt.Errorf("raw partition(s) %v: %w", missing, ErrUnrepaired)
	}
	if err := l.known(ctx, items, verdicts); err != nil {
		return nil, err
	}
	groups := groupItems(items, verdicts)
	every := slices.Clone(groups)
	if err := (&resolution{ledger: l, asking: groups}).run(ctx, parts); err != nil {
		return nil, err
	}
	for _, g := range every {
		for _, c := range g.classes {
			c.spread(items, verdicts)
		}
	}
	for i := range verdicts {
		if verdicts[i].Action == 0 {
			verdicts[i].Action = Publish
		}
	}
	return verdicts, l.checkOwners(items, verdicts)
}

// checkOwners returns ErrWentBack where a record would be dropped for a committed one that its partition does
// not hold yet: marks are written after the commit, and whoever has the partition knows what was committed.
func (l *Ledger) checkOwners(items []Item, verdicts []Verdict) error {
	if l.o.Stage != kycv1.Stage_STAGE_NORMALIZE {
		return nil // tasks come and go beside the offsets that are known here
	}
	ends := make(map[int32]int64)
	for _, item := range items {
		ends[item.Partition] = max(ends[item.Partition], item.Offset, l.parts[item.Partition].state.highest)
	}
	for i, v := range verdicts {
		p := items[i].Partition
		if v.CommittedIn(p) && v.Owner.Offset > ends[p] {
			return WentBack("raw record %d@%d is a copy of one at offset %d, of a partition that was processed up to %d", p, items[i].Offset, v.Owner.Offset, ends[p])
		}
	}
	return nil
}

// Unverified decides a batch without Redis. Its partitions need a repair before the next Claim.
func (l *Ledger) Unverified(items []Item) []Verdict {
	verdicts := make([]Verdict, len(items))
	unverified(items, verdicts)
	for _, p := range partitionsOf(items) {
		l.Forget(p)
	}
	return verdicts
}

// Settle records that a batch is committed: dispositions[i] is the offset of the i-th record's
// disposition, or -1 where there was none to write.
func (l *Ledger) Settle(items []Item, verdicts []Verdict, dispositions []int64) {
	for i, item := range items {
		part := l.parts[item.Partition]
		if part == nil || dispositions[i] < 0 {
			continue
		}
		part.state.next = max(part.state.next, dispositions[i]+1)
		part.state.reach(item.raw(), dispositions[i])
		if item.Origin != nil {
			mark := l.o.originMark(*item.Origin, item.claim(), part.state)
			part.pending = append(part.pending, mark)
			delete(part.open, mark.Key)
		}
		if v := verdicts[i]; v.Action == Publish && v.Keyed {
			part.pending = append(part.pending, Mark{Key: part.state.keep(v.Key), Claim: item.claim().Done()})
		}
	}
}

// Flush writes pending marks on their own, when no batch comes to carry them.
func (l *Ledger) Flush(ctx context.Context) error {
	if !l.Pending() {
		return nil
	}
	_, err := l.exchange(ctx, Round{}, nil)
	return err
}

const (
	// advanceEvery is how often a partition's watermark follows what others disposed of.
	advanceEvery = time.Minute
	// advanceLimit bounds how long that may keep a stage from work that came meanwhile.
	advanceLimit = time.Second
)

// Advance lets the watermark of a stage that has nothing to do follow the dispositions of the others, and
// marks what replays wrote among them: or the next repair would read all of them. It reads what came since it
// last did, once a minute at most for each partition, and is called when nothing else is to be done. What Redis
// lost meanwhile is a DriftError.
func (l *Ledger) Advance(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, advanceLimit)
	defer cancel()
	var due []int32
	for p, part := range l.parts {
		now := l.o.Now()
		if l.o.Bounds == nil || part.dirty() || now.Sub(part.advanced) < advanceEvery {
			continue
		}
		part.advanced = now
		if err := l.follow(ctx, p, part, now); err != nil {
			return fmt.Errorf("following the dispositions of raw partition %d: %w", p, err)
		}
		due = append(due, p)
	}
	if len(due) == 0 {
		return nil
	}
	_, err := l.exchange(ctx, Round{}, due) // what Redis lost meanwhile is noticed before somebody asks for it
	return err
}

func (l *Ledger) follow(ctx context.Context, p int32, part *partition, now time.Time) error {
	bounds, err := l.o.Bounds(ctx, p)
	if err != nil || bounds.Stable < bounds.Dispositions.End {
		return err // while a transaction is open, its end would be waited for
	}
	r := &Repair{o: l.o, partition: p, now: now, state: part.state, unlimited: true}
	next, err := l.o.History(ctx, p, record.ScanFrom{Offset: part.state.next}, func(offset int64, value []byte) error {
		if len(r.marks) >= repairChunk {
			return errPassed
		}
		return r.note(ctx, offset, value)
	})
	if err != nil && !errors.Is(err, errPassed) {
		return err
	}
	r.state.next = max(part.state.next, next)
	part.state, part.pending = r.state, append(part.pending, r.marks...)
	return nil
}

// exchange runs one round around the claims or looks of a round and checks every watermark it
// touches.
func (l *Ledger) exchange(ctx context.Context, round Round, reads []int32) (Reply, error) {
	var moved []int32
	for p, part := range l.parts {
		if part.dirty() {
			round.Marks = append(round.Marks, part.pending...)
			round.Moves = append(round.Moves, Move{l.o.watermarkKey(p), []string{part.stored}, part.state.String()})
			moved = append(moved, p)
		}
	}
	for _, p := range reads {
		round.Reads = append(round.Reads, l.o.watermarkKey(p))
	}
	reply, err := l.store.Exchange(ctx, round)
	if err != nil {
		return Reply{}, err
	}
	return reply, l.check(round, reply, moved, reads)
}

// check accepts only the values we left, in every shard.
func (l *Ledger) check(round Round, reply Reply, moved, reads []int32) error {
	var drifted []int32
	for i, p := range moved {
		if !round.Moves[i].accepts(reply.Before[i]) {
			drifted = append(drifted, p)
			continue
		}
		l.parts[p].stored, l.parts[p].pending = round.Moves[i].To, nil
	}
	for i, p := range reads {
		if !slices.Contains(drifted, p) && !all(reply.Seen[i], l.parts[p].stored) {
			drifted = append(drifted, p)
		}
	}
	for _, p := range drifted {
		l.Forget(p)
	}
	if len(drifted) > 0 {
		slices.Sort(drifted)
		return &DriftError{Partitions: drifted}
	}
	return nil
}

// all reports whether a watermark reads the same in every shard.
func all(seen []string, want string) bool {
	return !slices.ContainsFunc(seen, func(s string) bool { return s != want })
}

func (o LedgerOptions) watermarkKey(p int32) string {
	return watermarkKey(o.Group, o.TopicID, o.DispositionID, p)
}

func (l *Ledger) missing(parts []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(parts), l.Repaired)
}

func partitionsOf(items []Item) []int32 {
	var parts []int32
	for _, item := range items {
		if !slices.Contains(parts, item.Partition) {
			parts = append(parts, item.Partition)
		}
	}
	return parts
}
