// Package replay maps raw records of the past with the mappers of today, when an operator orders it: it
// emits again what was emitted, or fills gaps. It writes events, dead letters and dispositions itself,
// each labelled with the replay's id, in transactions of its own, one transactional id for each raw
// partition, and never writes to the raw topic.
//
// It is not a stage: it joins no consumer group, commits no offsets, calls no vendor's API (the hydrate
// stage does), and leaves alone what a stage has not passed yet. What it wrote for a record under the same
// id it does not write again, so running an interrupted replay again continues it.
package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/providers"
)

// Mode is what a replay does. There is no default: the operator chooses.
type Mode string

const (
	// ReEmit publishes once more what was published, with the same event ids.
	ReEmit Mode = "re-emit"
	// FillGaps publishes what was never published: records without a final disposition, and those whose
	// last one says that they became dead letters.
	FillGaps Mode = "fill-gaps"
)

// ErrInterrupted: ctx ended the replay. What is committed stays.
var ErrInterrupted = errors.New("interrupted")

// ErrTakenOver: another replay works on the same partition.
var ErrTakenOver = errors.New("fenced: another replay took over the partition; run one at a time")

// Topics is what a replay reads. Every map is by partition.
type Topics struct {
	Partitions    int32 // of the raw topic
	RawName       string
	RawID         [16]byte
	HydrateID     [16]byte
	DispositionID [16]byte
	// Starts and After give raw offsets: the first one held, and the first one at or after a time.
	Starts func(ctx context.Context) (map[int32]int64, error)
	After  func(ctx context.Context, t time.Time) (map[int32]int64, error)
	// Committed gives the normaliser's offsets in the raw topic.
	Committed func(ctx context.Context) (map[int32]int64, error)
	// Waiting gives the hydrate stage's offsets in a topic of tasks, by base name. Only to fill gaps.
	Waiting func(ctx context.Context, base string) (map[int32]int64, error)
	// Bounds are those of a partition, against which the marks are held; nil: they are believed.
	Bounds func(ctx context.Context, partition int32) (dedupe.Bounds, error)
	// Scan gives the committed records of one partition of a topic, by base name, in order, up to the
	// end it has when Scan begins, waiting for open transactions. An error of fn ends it and comes back.
	Scan func(ctx context.Context, base string, partition int32, from record.ScanFrom, fn func(normalize.RawRecord) error) error
}

// Writer writes transactions under one transactional id.
type Writer struct {
	transactions
	Close func()
}

// NewWriter is a Writer over t, which close closes.
func NewWriter(t transactions, close func()) *Writer { return &Writer{t, close} }

// transactions are not used by two goroutines at once.
type transactions interface {
	// Commit writes out in one transaction: (true, nil) all of it, (false, nil) nothing, an error: not
	// known, and the writer is of no more use.
	Commit(ctx context.Context, out []record.Outgoing) (bool, error)
	// AbortReason says why the last Commit wrote nothing.
	AbortReason() error
}

// claims is the store of claims; *dedupe.Store is one.
type claims interface {
	Exchange(ctx context.Context, r dedupe.Round) (dedupe.Reply, error)
	TakeOver(ctx context.Context, expected, next []dedupe.Mark) ([]*dedupe.Claim, error)
	Peek(ctx context.Context, keys []dedupe.Key) ([]*dedupe.Claim, error)
}

// Options configures a replay. Fields without a default are required.
type Options struct {
	ID     string // the label; the same one continues a replay that was cut off
	Mode   Mode
	Select Selection
	// Letters hold, by raw partition, what is no longer in the raw topic. Only to fill gaps.
	Letters map[int32][]Letter
	DryRun  bool // nothing is written, to Kafka or to Redis

	Topics Topics
	// Open takes the transactional id over: a predecessor with it can write nothing any more. Not used
	// in a dry run.
	Open  func(ctx context.Context, transactionalID string) (*Writer, error)
	Taken func(error) bool // whether an error of a writer says that somebody else has its id

	// Claims, Pepper and the names of the groups are only needed to fill gaps.
	Claims                       claims
	Pepper                       secret.Value
	Former, FormerTasks          []dedupe.Former // of the raw and the hydrate topic, in another cluster
	NormalizeGroup, HydrateGroup string
	Wait                         time.Duration // for marks and claims on their way; 5 s

	Providers      []providers.Provider
	Validator      contract.Rules
	Forms          []contract.Form            // that events are written in; none: plain protobuf
	Hydrates       func(endpoint string) bool // see normalize.InterpreterOptions; only for gaps
	ReferenceAsIs  func(endpoint string) bool // see normalize.InterpreterOptions
	StaleAfter     time.Duration
	MaxRecordBytes int

	Batch    int            // most raw records in one transaction; 200
	Stretch  int64          // most raw offsets whose fates are held at once, 8 bytes each; 2^27
	Page     int            // of those, how many are worked off between two looks at the end of the dispositions; 8192
	Progress func(Progress) // called after every batch; may be nil
	// Kind is the state of its claims, and Now the clock of its dispositions; see dedupe.ReplayLedgerOptions and
	// time.Now when unset. Only a simulation sets them.
	Kind dedupe.State
	Now  func() time.Time
	// Grace is how long the batch in hand may take when ctx ends; 20 s.
	Grace time.Duration
}

func (o Options) withDefaults() Options {
	if o.Batch <= 0 {
		o.Batch = 200
	}
	if o.Stretch <= 0 {
		o.Stretch = 1 << 27
	}
	if o.Page <= 0 {
		o.Page = 8192
	}
	if o.Wait <= 0 {
		o.Wait = 5 * time.Second
	}
	if o.Grace <= 0 {
		o.Grace = 20 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	return o
}

// Validate finds what cannot be replayed, without touching the network.
func (o Options) Validate() error {
	switch {
	case o.Mode != ReEmit && o.Mode != FillGaps:
		return fmt.Errorf("a replay needs a mode: %q publishes again what was published, with the same event ids; %q publishes only what never was", ReEmit, FillGaps)
	case !validID(o.ID):
		return fmt.Errorf("%q is not a replay id: expected 1 to 64 of A-Z a-z 0-9 . _ : -, a letter or digit first", o.ID)
	case o.Mode != FillGaps && len(o.Letters) > 0:
		return errors.New("dead letters do not hold what was published: they can only fill gaps")
	case o.Mode == FillGaps && o.Claims == nil:
		return errors.New("filling gaps needs Redis, where it makes claims")
	}
	return o.Select.Validate()
}

// validID keeps ids printable, and small enough for every place they stand in.
func validID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == ':' || c == '-'):
		default:
			return false
		}
	}
	return true
}

// TransactionalID is that of all replays of a raw partition.
func TransactionalID(partition int32) string { return fmt.Sprintf("kycbridge-replay-%d", partition) }

// Progress is how far a replay is, in raw offsets of its selection.
type Progress struct {
	Partition   int32
	Done, Total int64
	Report      *Report // so far
}

// Run replays, one partition after the other. The report tells what was done, also with an error;
// ErrInterrupted where ctx ended it.
func Run(ctx context.Context, o Options) (*Report, error) {
	o = o.withDefaults()
	report := newReport(o)
	if err := o.Validate(); err != nil {
		return report, err
	}
	o.Letters = maps.Clone(o.Letters)
	if o.Letters == nil {
		o.Letters = map[int32][]Letter{}
	}
	r := &run{o: o, report: report, match: newMatcher(o.Select, providers.NewGate([]byte(o.Pepper.Reveal())))}
	err := r.all(ctx)
	report.missing(r.match)
	if ctx.Err() != nil {
		err = errors.Join(ErrInterrupted, ignoreCancel(err))
	}
	return report, err
}

// ignoreCancel drops an error that only says that ctx ended.
func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, ErrInterrupted) {
		return nil
	}
	return err
}

// run is one replay under way.
type run struct {
	o      Options
	report *Report
	match  *matcher
	done   int64 // raw offsets behind us
	total  int64
}

func (r *run) all(ctx context.Context) error {
	plan, err := r.plan(ctx)
	if err != nil {
		return err
	}
	for p := range r.o.Topics.Partitions {
		r.o.Letters[p] = byOffset(r.o.Letters[p])
		r.total += width(plan[p]) + int64(len(r.o.Letters[p]))
		r.report.Gone = max(r.report.Gone-int64(len(r.o.Letters[p])), 0)
	}
	for p := range r.o.Topics.Partitions {
		if len(plan[p])+len(r.o.Letters[p]) == 0 {
			continue
		}
		if err := r.partition(ctx, p, plan[p]); err != nil {
			return fmt.Errorf("raw partition %d: %w", p, err)
		}
		r.report.Partitions++
	}
	return nil
}

// tries is how often a partition is begun before its error counts.
const tries = 5

// pause is what comes before the next try.
func pause(ctx context.Context, n int) error {
	return dedupe.Sleep(ctx, time.Duration(n)*200*time.Millisecond)
}

// partition works on one partition until it is done. A transaction whose outcome is not known is no
// end: a new attempt finds in the dispositions what was committed.
func (r *run) partition(ctx context.Context, p int32, spans []span) error {
	w := &partition{run: r, number: p, next: first(spans, r.o.Letters[p]), unsure: map[int64]tally{}}
	end := r.done + width(spans) + int64(len(r.o.Letters[p]))
	for n := 1; ; n++ {
		w.safe(w.next)
		err := w.work(ctx, windows(spans, w.next, 1<<62, 0))
		var unknown *unknownError
		switch {
		case err == nil:
			r.done = end
			return nil
		case r.o.Taken != nil && r.o.Taken(err):
			return fmt.Errorf("%w: %w", ErrTakenOver, err)
		case ctx.Err() != nil, n == tries, !errors.As(err, &unknown):
			w.back()
			return err
		}
		w.back()
		if pause(ctx, n) != nil {
			return ErrInterrupted
		}
	}
}

// first is the lowest offset to work on. Letters are of records before all that the raw topic has.
func first(spans []span, letters []Letter) int64 {
	if len(letters) > 0 {
		return letters[0].Offset
	}
	return spans[0].from
}

// unknownError is a transaction whose outcome is unknown.
type unknownError struct{ error }

func (e *unknownError) Unwrap() error { return e.error }
