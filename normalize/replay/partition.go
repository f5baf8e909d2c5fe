package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	// batchBytes bounds the raw records of a transaction: what they become is many times as much.
	batchBytes = 256 << 10
	// storedBytes is what a record counts for beside its own size that is made of a stored object, which may be
	// as large as hydrate.max_response_bytes.
	storedBytes = 16 << 10
)

var errEnough = errors.New("end of the selection")

// partition is the replay of one partition.
type partition struct {
	*run
	number  int32
	writer  *Writer // nil in a dry run
	again   *normalize.Interpreter
	gaps    *normalize.Interpreter
	ledgers map[kycv1.Stage]*dedupe.ReplayLedger
	keys    map[kycv1.Stage]dedupe.Keyer // of the stages that claim

	history *history
	witness *witness  // while letters are worked off
	held    []*chosen // the batch in hand
	bytes   int

	// What stands when a transaction is given up: where to go on, and the report up to there.
	next   int64
	before Report
	passed int64
	seen   int64           // the offset after the last record taken
	unsure map[int64]tally // what would have been reported for records whose transaction's outcome is not known
}

// tally is what is reported for a record.
type tally struct {
	outcome Outcome
	vendor  string
	events  int64
}

// safe notes that everything before an offset is settled.
func (p *partition) safe(next int64) {
	p.next, p.passed, p.before = next, p.done, *p.report
	p.before.Counts = slices.Clone(p.report.Counts)
}

// back takes back what is not settled.
func (p *partition) back() {
	*p.report, p.done = p.before, p.passed
	p.report.Counts = slices.Clone(p.before.Counts)
	p.held, p.bytes = nil, 0
}

// chosen is a raw record of the selection with its past.
type chosen struct {
	raw    normalize.RawRecord
	vendor string
	past   past
	read   *normalize.Reading // nil: the object it was made of is gone
	anew   bool               // its task is written once more
}

// work goes through the spans: take the transactional id over, only then read what became of the records,
// only then decide. Two replays of a partition cannot interleave that way.
func (p *partition) work(ctx context.Context, spans []span) error {
	if !p.o.DryRun {
		w, err := p.o.Open(ctx, TransactionalID(p.number))
		if err != nil {
			return err
		}
		p.writer = w
		defer w.Close()
	}
	o := normalize.InterpreterOptions{
		StaleAfter: p.o.StaleAfter, MaxRecordBytes: p.o.MaxRecordBytes, ReferenceAsIs: p.o.ReferenceAsIs, Forms: p.o.Forms,
		Gate: providers.NewGate([]byte(p.o.Pepper.Reveal())),
	}
	// What was emitted without the vendor's object is emitted again without it.
	p.again = normalize.NewInterpreter(p.o.Providers, p.o.Validator, o)
	o.Hydrates = p.o.Hydrates
	p.gaps = normalize.NewInterpreter(p.o.Providers, p.o.Validator, o)
	keys := dedupe.NewKeyer([]byte(p.o.Pepper.Reveal()))
	p.keys = map[kycv1.Stage]dedupe.Keyer{kycv1.Stage_STAGE_NORMALIZE: keys.WithFormer(p.o.Former), kycv1.Stage_STAGE_HYDRATE: keys.WithFormer(p.o.FormerTasks)}
	p.ledgers = p.newLedgers()
	letters := slices.DeleteFunc(slices.Clone(p.o.Letters[p.number]), func(l Letter) bool { return l.Offset < p.next })
	for left := merge(append(spansOf(letters), spans...)); len(left) > 0; {
		stretch, rest := cut(left, p.o.Stretch)
		n, _ := slices.BinarySearchFunc(letters, stretch[len(stretch)-1].to, func(l Letter, o int64) int { return cmp.Compare(l.Offset, o) })
		if err := p.stretch(ctx, letters[:n], stretch); err != nil {
			return err
		}
		left, letters = rest, letters[n:]
	}
	return nil
}

// newLedgers makes the ledgers that claim, one for each stage. In a dry run nothing is written.
func (p *partition) newLedgers() map[kycv1.Stage]*dedupe.ReplayLedger {
	if p.o.Mode != FillGaps {
		return nil
	}
	store := p.o.Claims
	if p.o.DryRun {
		store = dedupe.NewDryRunStore(store)
	}
	ledger := func(stage kycv1.Stage, group string, topic [16]byte, former []dedupe.Former) *dedupe.ReplayLedger {
		return dedupe.NewReplayLedger(store, dedupe.ReplayLedgerOptions{
			Group: group, Stage: stage, TopicID: topic, DispositionID: p.o.Topics.DispositionID, Wait: p.o.Wait,
			Kind: p.o.Kind, TTL: p.o.StaleAfter, Now: p.o.Now, Pepper: p.keys[stage].PepperID(), Former: former,
			History: p.scanDispositions, Bounds: p.o.Topics.Bounds,
		})
	}
	const normalises, hydrates = kycv1.Stage_STAGE_NORMALIZE, kycv1.Stage_STAGE_HYDRATE
	return map[kycv1.Stage]*dedupe.ReplayLedger{
		normalises: ledger(normalises, p.o.NormalizeGroup, p.o.Topics.RawID, p.o.Former),
		hydrates:   ledger(hydrates, p.o.HydrateGroup, p.o.Topics.HydrateID, p.o.FormerTasks),
	}
}

// scanDispositions is a dedupe.History.
func (p *partition) scanDispositions(ctx context.Context, number int32, from record.ScanFrom, fn func(offset int64, value []byte) error) (next int64, err error) {
	next = from.Offset
	return next, p.o.Topics.Scan(ctx, schemas.DispositionTopic, number, from, func(r normalize.RawRecord) error {
		return fn(r.Offset, r.Value)
	})
}

// stretch replays some spans, which have the offsets of letters and of raw records after them.
func (p *partition) stretch(ctx context.Context, letters []Letter, all []span) (err error) {
	raw := all
	if n := len(letters); n > 0 {
		raw = windows(all, letters[n-1].Offset+1, 1<<62, 0)
	}
	first, found, err := p.first(ctx, raw)
	if err != nil || !found && len(letters) == 0 {
		return err
	}
	p.history = p.newHistory(all)
	defer func() { p.history, p.witness = nil, nil }()
	if err := p.letters(ctx, letters); err != nil || !found {
		return err
	}
	if len(letters) == 0 {
		if err := p.history.begin(ctx, first.Time.Add(-skew)); err != nil {
			return err
		}
	}
	if err := p.history.read(ctx); err != nil {
		return err
	}
	if err := p.findTasks(ctx); err != nil {
		return err
	}
	for _, w := range windows(raw, first.Offset, 1<<62, near) {
		err := p.o.Topics.Scan(ctx, schemas.Raw, p.number, record.ScanFrom{Offset: w.from}, func(r normalize.RawRecord) error {
			if r.Offset >= w.to {
				return errEnough
			}
			if ctx.Err() != nil {
				return ErrInterrupted
			}
			if !holds(raw, r.Offset) {
				return nil
			}
			return p.take(ctx, r)
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
	}
	return p.flush(ctx)
}

// first finds the first raw record of some spans.
func (p *partition) first(ctx context.Context, spans []span) (first normalize.RawRecord, found bool, err error) {
	if len(spans) == 0 {
		return first, false, nil
	}
	err = p.o.Topics.Scan(ctx, schemas.Raw, p.number, record.ScanFrom{Offset: spans[0].from}, func(r normalize.RawRecord) error {
		first, found = r, r.Offset < spans[len(spans)-1].to
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return first, found, err
}

// take puts a record into the batch in hand, if it is meant, and works the batch off when it is full.
func (p *partition) take(ctx context.Context, r normalize.RawRecord) error {
	p.done++
	p.seen = r.Offset + 1
	if !p.match.within(r.Time) {
		return nil
	}
	past, err := p.history.past(ctx, r.Offset)
	if err != nil {
		return err
	}
	envelope := &kycv1.RawEnvelope{}
	if err := contract.Unmarshal(r.Value, envelope); err != nil {
		envelope = nil
	}
	if !p.match.envelope(envelope, past.named) {
		return nil
	}
	c := &chosen{raw: r, past: past, vendor: vendorOf(envelope, p.o.Providers)}
	c.raw.Topic, c.raw.TopicID = p.o.Topics.RawName, p.o.Topics.RawID
	why := p.leave(past)
	if why == "" {
		if why, err = p.spent(c); err != nil {
			return err
		}
	}
	if why != "" {
		t, ok := p.unsure[r.Offset]
		if !ok || why != Before {
			t = tally{outcome: why, vendor: c.vendor}
		}
		p.report.add(t)
		return nil
	}
	if err := p.history.detail(ctx, r.Offset, &c.past); err != nil {
		return err
	}
	p.held, p.bytes = append(p.held, c), p.bytes+len(r.Value)
	if c.past.claimed >= 0 {
		p.bytes += storedBytes
	}
	if len(p.held) < p.o.Batch && p.bytes < batchBytes {
		return nil
	}
	return p.flush(ctx)
}

// leave is why nothing is to be done for a record; "" where something is.
func (p *partition) leave(past past) Outcome {
	const emitted, dead = kycv1.DispositionKind_DISPOSITION_KIND_EMITTED, kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED
	switch {
	case past.done:
		return Before
	case past.hydrating && !past.lost:
		return WithHydrate
	case past.hydrating:
		return ""
	case p.o.Mode == ReEmit && past.last == emitted:
		return ""
	case p.o.Mode == ReEmit:
		return NeverEmitted
	case past.last != dead && past.last != kycv1.DispositionKind_DISPOSITION_KIND_UNSPECIFIED && !past.orphan:
		return NoGap
	case past.reason == kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER && past.last == dead && !p.o.Select.PoisonPills:
		return PoisonPill
	}
	return ""
}

// flush works the batch in hand off. When ctx ends, a batch that was begun is finished.
func (p *partition) flush(ctx context.Context) error {
	if len(p.held) == 0 {
		p.tell()
		return nil
	}
	if ctx.Err() != nil {
		return ErrInterrupted
	}
	work, cancel := normalize.Outlive(ctx, p.o.Grace)
	defer cancel()
	if err := p.read(work); err != nil {
		return err
	}
	if err := p.dispose(work); err != nil {
		return err
	}
	p.held, p.bytes = nil, 0
	p.tell()
	return nil
}

func (p *partition) tell() {
	p.o.Progress(Progress{Partition: p.number, Done: p.run.done, Total: p.total, Report: p.report})
}

// read interprets the batch in hand. A stored object of a vendor's API is read again; none is asked for.
func (p *partition) read(ctx context.Context) error {
	tasks, err := p.stored(ctx)
	if err != nil {
		return err
	}
	reads := p.gaps
	if p.o.Mode == ReEmit {
		reads = p.again
	}
	for _, c := range p.held {
		in, ok := tasks[c.past.claimed]
		if err := p.readOne(reads, c, in, ok && in.task.GetRaw().GetOffset() == c.raw.Offset); err != nil {
			return err
		}
		if c.read != nil {
			p.label(c)
		}
	}
	return nil
}

// readOne interprets one record; kept: its stored object is there. It leaves out one whose object is gone.
func (p *partition) readOne(reads *normalize.Interpreter, c *chosen, in answered, kept bool) error {
	var read *normalize.Reading
	var err error
	switch {
	case c.past.hydrating:
		if read, err = reads.InterpretAnew(c.raw); err == nil {
			c.again(read, c.past.label)
		}
	case c.past.claimed < 0:
		c.read, err = reads.Interpret(c.raw)
	case kept:
		c.read, err = reads.InterpretTask(in.record, p.o.Topics.RawID, in.task)
	}
	if err == nil && p.unanswered(c, in, kept) {
		if read, err = reads.Interpret(c.raw); err == nil {
			c.again(read, p.o.ID)
		}
	}
	return err
}

// label puts the replay's id on what is written for a record.
func (p *partition) label(c *chosen) {
	c.read.Replay = p.o.ID
	if f, ok := c.read.Outcome.(*normalize.Fetch); ok && !c.anew {
		f.Label = p.o.ID
	}
}

// answered is a task with its object.
type answered struct {
	record normalize.RawRecord
	task   *kycv1.HydrateTask
}

// stored reads the tasks that the batch in hand was made of, by offset.
func (p *partition) stored(ctx context.Context) (map[int64]answered, error) {
	var wanted []span
	for _, c := range p.held {
		if c.past.claimed >= 0 {
			wanted = append(wanted, span{c.past.claimed, c.past.claimed + 1})
		}
	}
	wanted = merge(wanted)
	found := map[int64]answered{}
	for _, w := range windows(wanted, 0, 1<<62, near) {
		err := p.o.Topics.Scan(ctx, schemas.Hydrate, p.number, record.ScanFrom{Offset: w.from}, func(r normalize.RawRecord) error {
			if r.Offset >= w.to {
				return errEnough
			}
			if !holds(wanted, r.Offset) {
				return nil
			}
			task := &kycv1.HydrateTask{}
			if err := contract.Unmarshal(r.Value, task); err == nil {
				r.TopicID = p.o.Topics.HydrateID
				found[r.Offset] = answered{r, task}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return nil, fmt.Errorf("stored objects: %w", err)
		}
	}
	return found, nil
}
