package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// The bounds of what an operator says, in bytes: it stands in every dead letter.
const (
	maxSkipReason = 500
	maxSkipBy     = 64
)

// The bounds of one transaction of a skip, in raw records and in bytes of their values.
const (
	skipRecords = 200
	skipBytes   = 8 << 20
)

// SkipQuery chooses raw records of one partition that are passed over: those that the normaliser
// has not disposed of, up to To.
type SkipQuery struct {
	Partition int32
	To        int64  // the raw offset to go on at
	Reason    string // why, in one line
	By        string // who decides
	DryRun    bool   // nothing is written

	Progress func(done, total int64) // after each transaction, in raw offsets; may be nil
}

// SkipReport is what was passed over, or in a dry run would be. Scripts read its JSON: fields are
// added, never renamed.
type SkipReport struct {
	Partition int32 `json:"partition"`
	From      int64 `json:"from"` // the first raw offset without a disposition
	To        int64 `json:"to"`
	Skipped   int64 `json:"skipped"`
	DryRun    bool  `json:"dry_run"`
	// Members are those of the normaliser's group. Nothing is skipped while there are any.
	Members int       `json:"members"`
	First   time.Time `json:"first_received"` // zero where nothing is skipped
	Last    time.Time `json:"last_received"`
}

// SkipReason is the reason of the dead letters that a skip writes.
const SkipReason = kycv1.DeadLetterReason_DEAD_LETTER_REASON_SKIPPED_BY_OPERATOR

// Validate finds what cannot be skipped, without touching the network.
func (q SkipQuery) Validate() error {
	switch {
	case q.Partition < 0:
		return fmt.Errorf("partition is %d; expected 0 or more", q.Partition)
	case q.To <= 0:
		return fmt.Errorf("the offset to go on at is %d; expected 1 or more", q.To)
	}
	return errors.Join(oneLine("the reason", q.Reason, maxSkipReason), oneLine("who decides", q.By, maxSkipBy))
}

// oneLine refuses text that cannot stand in a dead letter's detail.
func oneLine(what, text string, most int) error {
	strange := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case strings.TrimSpace(text) == "":
		return fmt.Errorf("%s is empty; it stands in every dead letter", what)
	case len(text) > most:
		return fmt.Errorf("%s has %d bytes; expected at most %d", what, len(text), most)
	case !utf8.ValidString(text), strings.ContainsFunc(text, strange):
		return fmt.Errorf("%s holds characters that cannot be shown; expected one line of text", what)
	}
	return nil
}

// Skip makes dead letters of raw records that the normaliser has not disposed of, each with its
// disposition, and moves the group's offset behind them. It refuses while the group has members, in each
// transaction at its last moment: the dispositions are in the log by then, so a normaliser that comes later
// waits for the transaction before it takes the partition, and begins behind them. An error leaves
// whole transactions; the same skip again goes on.
func Skip(ctx context.Context, s Servers, q SkipQuery) (*SkipReport, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	reader, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	k := &skip{
		query: q, reader: reader, group: s.Kafka.Scoped(normalize.DefaultGroup),
		reads: normalize.NewInterpreter(s.Vendors, contract.NewValidator(), normalize.InterpreterOptions{MaxRecordBytes: s.Limits.MaxRecordBytes, Gate: s.gate()}),
	}
	if q.DryRun {
		return k.dry(ctx)
	}
	if err := k.alone(ctx); err != nil {
		return nil, err
	}
	// Another skip of the partition is fenced before anything is read.
	if k.writer, err = sink.OpenTransactor(ctx, s.Kafka, fmt.Sprintf("kycbridge-skip-%d", q.Partition), s.Limits.TransactionTimeout); err != nil {
		return nil, err
	}
	defer k.writer.Close()
	if err := k.plan(ctx); err != nil {
		return nil, err
	}
	if err := k.run(ctx); err != nil {
		return k.report, fmt.Errorf("raw partition %d, skipped up to offset %d: %w", q.Partition, k.next, err)
	}
	return k.report, nil
}

// skip is one under way.
type skip struct {
	query  SkipQuery
	group  string // in full
	reader *topicReader
	writer *sink.Transactor
	reads  *normalize.Interpreter
	raw    [16]byte
	report *SkipReport

	next  int64 // everything before it is done
	held  []normalize.RawRecord
	bytes int
}

func (k *skip) dry(ctx context.Context) (*SkipReport, error) {
	if err := k.plan(ctx); err != nil {
		return nil, err
	}
	err := k.each(ctx, func(r normalize.RawRecord) error {
		k.took(r)
		return nil
	})
	return k.report, err
}

// alone refuses while somebody else may dispose of the records.
func (k *skip) alone(ctx context.Context) error {
	members, err := k.reader.Members(ctx, normalize.DefaultGroup)
	if err == nil && members > 0 {
		err = fmt.Errorf("the consumer group %s has %d member(s): stop every process that normalizes; one that was killed is a member until its session times out", k.group, members)
	}
	return err
}

// plan finds out what there is to be skipped.
func (k *skip) plan(ctx context.Context) error {
	p := k.query.Partition
	partitions, id, err := k.reader.Partitions(ctx, schemas.Raw)
	switch {
	case err != nil:
		return err
	case int(p) >= partitions:
		return fmt.Errorf("there is no raw partition %d: the topic has 0 to %d", p, partitions-1)
	}
	k.raw = id
	starts, err1 := k.reader.Starts(ctx, schemas.Raw)
	ends, err2 := k.reader.Ends(ctx, schemas.Raw)
	from, err3 := k.reader.undisposed(ctx, p, id)
	members, err4 := k.reader.Members(ctx, normalize.DefaultGroup)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	from = max(from, starts[p])
	switch {
	case k.query.To > ends[p]:
		return fmt.Errorf("raw partition %d ends at offset %d, and %d is beyond it", p, ends[p], k.query.To)
	case k.query.To < from:
		return fmt.Errorf("nothing is left to be skipped before offset %d of raw partition %d: all before %d is disposed of or expired", k.query.To, p, from)
	}
	k.next = from
	k.report = &SkipReport{Partition: p, From: from, To: k.query.To, DryRun: k.query.DryRun, Members: members}
	return nil
}

// each gives fn the raw records to be skipped.
func (k *skip) each(ctx context.Context, fn func(normalize.RawRecord) error) error {
	_, err := k.reader.ScanRecords(ctx, schemas.Raw, k.query.Partition, record.ScanFrom{Offset: k.next}, func(r record.Record) error {
		if r.Offset >= k.query.To {
			return errEnd
		}
		raw := rawRecord(r)
		raw.TopicID = k.raw
		return fn(raw)
	})
	if errors.Is(err, errEnd) {
		return nil
	}
	return err
}

// run writes transactions, and then the group's offset. Without that offset nothing is lost: the normaliser
// begins behind what is disposed of.
func (k *skip) run(ctx context.Context) error {
	err := k.each(ctx, func(r normalize.RawRecord) error {
		k.held, k.bytes = append(k.held, r), k.bytes+len(r.Value)
		if len(k.held) < skipRecords && k.bytes < skipBytes {
			return nil
		}
		return k.flush(ctx)
	})
	if err != nil {
		return err
	}
	if err := k.flush(ctx); err != nil {
		return err
	}
	err = k.reader.Commit(ctx, normalize.DefaultGroup, schemas.Raw, map[int32]int64{k.query.Partition: k.query.To})
	if err != nil && k.alone(ctx) != nil {
		return nil // a normaliser is back already
	}
	return err
}

// flush writes what is held in one transaction.
func (k *skip) flush(ctx context.Context) error {
	if len(k.held) == 0 {
		return nil
	}
	var out []record.Outgoing
	now := time.Now()
	for _, r := range k.held {
		read, err := k.reads.PassOver(r, "skipped by "+k.query.By+": "+k.query.Reason)
		if err != nil {
			return err
		}
		written, err := read.Records(dedupe.Verdict{Action: dedupe.Publish}, now)
		if err != nil {
			return err
		}
		out = append(out, written...)
	}
	committed, err := k.writer.CommitIf(ctx, out, k.alone)
	switch {
	case err != nil:
		return err
	case !committed:
		return fmt.Errorf("the transaction was given up: %w", k.writer.AbortReason())
	}
	for _, r := range k.held {
		k.took(r)
	}
	k.held, k.bytes = nil, 0
	if k.query.Progress != nil {
		k.query.Progress(k.next-k.report.From, k.report.To-k.report.From)
	}
	return nil
}

// took counts a record.
func (k *skip) took(r normalize.RawRecord) {
	if k.report.Skipped++; k.report.Skipped == 1 {
		k.report.First = r.Time
	}
	k.report.Last, k.next = r.Time, r.Offset+1
}

// tail is how many dispositions are read from the end at first.
const tail = 2_000

// undisposed gives the raw offset behind the last one of a partition that the normaliser disposed of, whatever its
// group has committed; where it disposed of none, what the group has committed. Its dispositions come in the
// order of raw offsets, so the last one is at the end, behind it only those of others.
func (r *topicReader) undisposed(ctx context.Context, partition int32, raw [16]byte) (int64, error) {
	starts, err1 := r.Starts(ctx, schemas.DispositionTopic)
	ends, err2 := r.Ends(ctx, schemas.DispositionTopic)
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	start, end := starts[partition], ends[partition]
	for width := int64(tail); ; width *= 8 {
		next, from := int64(-1), max(end-width, start)
		_, err := r.ScanRecords(ctx, schemas.DispositionTopic, partition, record.ScanFrom{Offset: from}, func(one record.Record) error {
			d := &kycv1.Disposition{}
			if contract.Unmarshal(one.Value, d) != nil || d.GetStage() != kycv1.Stage_STAGE_NORMALIZE {
				return nil
			}
			if id := dedupe.TopicID(d.GetRawTopicId()); id == raw || slices.Contains(r.former, id) {
				next = max(next, d.GetRaw().GetOffset()+1)
			}
			return nil
		})
		if err != nil || next >= 0 {
			return next, err
		}
		if from == start {
			committed, err := r.Committed(ctx, normalize.DefaultGroup, schemas.Raw)
			return committed[partition], err
		}
	}
}
