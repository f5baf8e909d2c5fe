package audit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Evidence is what Verify looks at.
type Evidence struct {
	Topics
	// Tasks are the topics of the hydrate stage. Each must be scanned from what the
	// stage has committed on, whatever start is asked for: what waits for a vendor's
	// API is found there. Empty: nothing may wait.
	Tasks []Topic
	Spans map[int32]Span // for each partition of the raw topic
	// Ledger is what a sender knows; nil where only the topics are known. Without it
	// O1 and O3 cannot be checked.
	Ledger *Ledger
}

// Span is which raw records of a partition are judged: from First up to the lower of
// Next and Done.
type Span struct {
	First int64     // the first offset
	Next  int64     // the offset after the last one
	Done  int64     // the normaliser's committed offset, taken before anything is read
	Since time.Time // the other topics are read from here on; zero: from their start
	End   int64     // of the log, taken after Done; 0: not known
	Gone  *Gone     // the records before First have expired, and are to be accounted for; nil: they are not
}

// Gone says how to find out whether the records that a log has no longer were processed. The
// normaliser disposes of a partition's records in their order, so the dispositions tell what it left out.
type Gone struct {
	// From is the offset in the disposition topic to read from; nothing is asked about records before
	// the first one that is found there.
	From int64
	// Whole: the disposition topic never held anything before From, so nothing was disposed of before
	// what is found there.
	Whole bool
	// Oldest is when the first record that is left arrived; zero where none is.
	Oldest time.Time
}

// from is where the dispositions of a span are read from.
func (s Span) from() record.ScanFrom {
	if s.Gone != nil {
		return record.ScanFrom{Offset: s.Gone.From}
	}
	return record.ScanFrom{Time: s.Since}
}

func (s Span) end() int64 { return max(min(s.Next, s.Done), s.First) }

// Ledger is what a sender of deliveries knows, by the vendor's id of each.
type Ledger struct {
	Accepted map[string]bool // got at least one success code, rightly
	Forged   map[string]bool // could not prove its sender, and must have left no trace
}

// VerifyOptions tune a check.
type VerifyOptions struct {
	// MaxListed is how many violations of each kind of check are listed; all are
	// counted. 0: DefaultMaxListed.
	MaxListed int
	// Together reads all partitions as one. Verify does so by itself where the topics
	// have different partition counts, or where an event or a dead letter is in another
	// partition than its raw record.
	Together bool
	// Progress, when set, is called after every record.
	Progress func(Progress)
}

// DefaultMaxListed is how many violations of a check are listed.
const DefaultMaxListed = 20

// errWide: an event or a dead letter was made of a raw record of another partition.
var errWide = errors.New("an event or a dead letter is in another partition than its raw record")

// Verify checks O1 to O5: nothing lost, nothing doubled, nobody let in, one final
// disposition for each raw record with its events, and order; and where there are JSON
// topics O6, that they hold the same events (see twinCheck). It may run while
// deliveries are processed. What was not processed when it began is counted as
// pending, not as lost.
//
// It reads one raw partition at a time, with the partition of that number of every
// other topic, since an event has its raw record's key. Memory: two bytes for each raw
// record of the partition, about 60 for each of its events and dead letters, and about
// 150 for each of its subjects. Read together, all partitions count as one. For O6 each
// topic of events is read once more, with about 200 bytes for each event of a partition.
//
// An error means that it could not be checked; the verdict is nil then.
func Verify(ctx context.Context, in Evidence, o VerifyOptions) (*Verdict, error) {
	if o.MaxListed <= 0 {
		o.MaxListed = DefaultMaxListed
	}
	if !o.Together && in.aligned() {
		lanes := in.eachAlone()
		v, err := in.verify(ctx, o, lanes, true)
		// What is missing may stand in a partition that was not read, as nothing of its own is judged.
		elsewhere := err == nil && v.Violations() > 0 && in.judged() < len(in.Spans)
		if !elsewhere && !errors.Is(err, errWide) {
			return v, err
		}
	}
	return in.verify(ctx, o, [][]int32{in.partitions()}, false)
}

// aligned reports whether an event must stand in the partition of its raw record's number.
func (in *Evidence) aligned() bool {
	for _, t := range append([]Topic{in.DeadLetters}, in.Domain...) {
		if t.Partitions != in.Raw.Partitions {
			return false
		}
	}
	return true
}

func (in *Evidence) partitions() []int32 { return slices.Sorted(maps.Keys(in.Spans)) }

func (in *Evidence) eachAlone() (lanes [][]int32) {
	for _, p := range in.partitions() {
		if s := in.Spans[p]; s.end() > s.First || s.Gone != nil {
			lanes = append(lanes, []int32{p})
		}
	}
	return lanes
}

// judged is how many partitions have a record whose events are looked for.
func (in *Evidence) judged() (n int) {
	for _, s := range in.Spans {
		if s.end() > s.First {
			n++
		}
	}
	return n
}

func (in *Evidence) verify(ctx context.Context, o VerifyOptions, lanes [][]int32, alone bool) (*Verdict, error) {
	f := newFindings(in, o)
	for _, partitions := range lanes {
		l := newLane(in, f, partitions)
		if err := l.run(ctx, alone); err != nil {
			return nil, err
		}
	}
	if err := in.compareTwins(ctx, f); err != nil {
		return nil, err
	}
	return f.verdict(), nil
}

// run reads a lane. Dispositions come first and are read on at the end: an event that
// came meanwhile has its disposition there, since one transaction holds both.
func (l *lane) run(ctx context.Context, alone bool) error {
	ends := map[int32]int64{}
	for p, part := range l.parts {
		next, err := l.in.Dispositions.scan(ctx, p, part.span.from(), l.told(l.in.Dispositions, l.disposition))
		if err != nil {
			return err
		}
		ends[p] = next
	}
	if err := l.outcomes(ctx, alone); err != nil {
		return err
	}
	l.late = true
	for p, next := range ends {
		if _, err := l.in.Dispositions.scan(ctx, p, record.ScanFrom{Offset: next}, l.told(l.in.Dispositions, l.disposition)); err != nil {
			return err
		}
	}
	return l.close(ctx)
}

// judges reports whether the lane has a record that is judged by what became of it.
func (l *lane) judges() bool {
	for _, p := range l.parts {
		if len(p.fates) > 0 {
			return true
		}
	}
	return false
}

// outcomes reads what the records became, beside their dispositions.
func (l *lane) outcomes(ctx context.Context, alone bool) error {
	if !l.judges() {
		return nil
	}
	for _, t := range l.in.Domain {
		l.order = order{}
		err := l.each(ctx, t, alone, func(r record.Record) error { return l.event(t, r) })
		if err != nil {
			return err
		}
	}
	if err := l.each(ctx, l.in.DeadLetters, alone, l.letter); err != nil {
		return err
	}
	for p := range l.parts {
		for _, t := range l.in.Tasks {
			if _, err := t.scan(ctx, p, record.ScanFrom{}, l.told(t, func(r record.Record) error { return l.task(t, r) })); err != nil {
				return err
			}
		}
	}
	return nil
}

// each reads the partitions of a topic that belong to the lane.
func (l *lane) each(ctx context.Context, t Topic, alone bool, fn func(record.Record) error) error {
	for p := range t.Partitions {
		if _, ours := l.parts[p]; alone && !ours {
			continue
		}
		if _, err := t.scan(ctx, p, record.ScanFrom{Time: l.since}, l.told(t, fn)); err != nil {
			return err
		}
	}
	return nil
}

// told reports the progress after every record.
func (l *lane) told(t Topic, fn func(record.Record) error) func(record.Record) error {
	return l.f.told(t, fn)
}

func (f *findings) told(t Topic, fn func(record.Record) error) func(record.Record) error {
	return func(r record.Record) error {
		err := fn(r)
		f.read++
		if f.o.Progress != nil {
			f.o.Progress(Progress{Source: t.Name, Partition: r.Partition, Partitions: t.Partitions, Records: f.read})
		}
		return err
	}
}

// The kinds of disposition, shorter.
const (
	emitted   = kycv1.DispositionKind_DISPOSITION_KIND_EMITTED
	duplicate = kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE
	dead      = kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED
	hydrating = kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING
)
