package operate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/schemas"
)

// clockSlack is how far the clocks of ingest, which stamps raw records, and of the
// normaliser, which stamps the others, may differ.
const clockSlack = time.Hour

// stepBack is how many offsets before a time dispositions are read, so that one of the normaliser's is
// among them, however long nothing came: behind it, what was left out is known.
const stepBack = 10_000

// evidenceReader finds what audit.Verify looks at.
type evidenceReader struct {
	reader   *topicReader
	now      time.Time
	evidence audit.Evidence
	notes    []string

	told      map[int32]int64 // the first offsets of the disposition topic
	retention time.Duration   // of the raw topic; 0: for ever, or not known
}

// collect asks first what the stages have committed: all that is read afterwards is
// at least as new.
func (e *evidenceReader) collect(ctx context.Context, w Window) error {
	done, err := e.reader.Committed(ctx, normalize.DefaultGroup, schemas.Raw)
	if err != nil {
		return err
	}
	twins, note, err := e.reader.twins(ctx)
	if err != nil {
		return err
	}
	e.notes = append(e.notes, note...)
	for _, t := range append(schemas.Topics(), twins...) {
		topic, err := e.reader.topic(ctx, t.Base)
		if err != nil {
			return err
		}
		if e.evidence.Put(topic) {
			continue
		}
		if topic, err = e.waiting(ctx, topic); err != nil {
			return err
		}
		e.evidence.Tasks = append(e.evidence.Tasks, topic)
	}
	return e.spans(ctx, w, done)
}

// waiting narrows a topic of the hydrate stage to what it has not committed.
func (e *evidenceReader) waiting(ctx context.Context, t audit.Topic) (audit.Topic, error) {
	done, err := e.reader.Committed(ctx, hydrate.DefaultGroup, t.Base)
	scan := t.Scan
	t.Scan = func(ctx context.Context, partition int32, _ record.ScanFrom, fn func(record.Record) error) (int64, error) {
		return scan(ctx, partition, record.ScanFrom{Offset: done[partition]}, fn)
	}
	return t, err
}

// spans finds the raw records of the window.
func (e *evidenceReader) spans(ctx context.Context, w Window, done map[int32]int64) error {
	starts, err := e.reader.Starts(ctx, schemas.Raw)
	if err != nil {
		return err
	}
	ends, err := e.reader.Ends(ctx, schemas.Raw)
	if err != nil {
		return err
	}
	if w.From, err = e.kept(ctx, w.From, starts, ends); err != nil {
		return err
	}
	froms, tos, err := e.reader.within(ctx, schemas.Raw, w, starts, ends)
	if err != nil {
		return err
	}
	if e.told, err = e.reader.Starts(ctx, schemas.DispositionTopic); err != nil {
		return err
	}
	if e.retention, err = e.reader.Retention(ctx, schemas.Raw); err != nil {
		return err
	}
	var expired int64
	e.evidence.Spans = map[int32]audit.Span{}
	for p, start := range starts {
		span := audit.Span{First: max(froms[p], start), Next: min(tos[p], ends[p]), Done: done[p], Since: w.From, End: ends[p]}
		span.Next = max(span.Next, span.First)
		oldest, err := e.timeAt(ctx, p, span.First)
		if err != nil {
			return err
		}
		if span.Since.IsZero() {
			span.Since = oldest
		}
		if !span.Since.IsZero() {
			span.Since = span.Since.Add(-clockSlack)
		}
		if span.First == start && start > 0 {
			expired += start
			if span.Gone, err = e.gone(ctx, p, w.From, oldest); err != nil {
				return err
			}
		}
		e.evidence.Spans[p] = span
	}
	if expired > 0 {
		e.notes = append(e.notes, fmt.Sprintf("retention has removed the %d raw records before these: of them it is only checked that they were processed, "+
			"back to --since or else for one retention of the raw topic; `kycbridge trace` tells from the dispositions what became of them", expired))
	}
	return nil
}

// gone says where the dispositions of a partition's expired records are read from: from the beginning of the
// window on, else from one retention before the oldest record that is left.
func (e *evidenceReader) gone(ctx context.Context, partition int32, from, oldest time.Time) (*audit.Gone, error) {
	g := &audit.Gone{From: e.told[partition], Oldest: oldest}
	if from.IsZero() && e.retention > 0 {
		if from = oldest; from.IsZero() {
			from = e.now
		}
		from = from.Add(-e.retention)
	}
	if !from.IsZero() {
		at, err := e.reader.OffsetsAt(ctx, schemas.DispositionTopic, from.Add(-clockSlack))
		if err != nil {
			return nil, err
		}
		g.From = max(at[partition]-stepBack, g.From)
	}
	g.Whole = g.From == 0
	return g, nil
}

// kept moves the beginning to where every topic still holds what the raw records became, and
// says so.
func (e *evidenceReader) kept(ctx context.Context, from time.Time, starts, ends map[int32]int64) (time.Time, error) {
	for _, t := range schemas.Topics() {
		if !t.Domain && t.Base != schemas.DeadLetterTopic && t.Base != schemas.DispositionTopic {
			continue
		}
		keeps, err := e.reader.Retention(ctx, t.Base)
		if err != nil {
			return from, err
		}
		limit := e.now.Add(-keeps)
		if keeps <= 0 || !from.IsZero() && !from.Before(limit) {
			continue
		}
		older, err := e.anyBefore(ctx, limit, starts, ends)
		if err != nil {
			return from, err
		}
		if older {
			from = limit
			e.notes = append(e.notes, fmt.Sprintf("raw records before %s are not checked: %s keeps its records no longer (%s)", limit.UTC().Format(time.RFC3339), e.reader.kafka.Topic(t.Base), keeps))
		}
	}
	return from, nil
}

// anyBefore reports whether there are raw records older than a time.
func (e *evidenceReader) anyBefore(ctx context.Context, limit time.Time, starts, ends map[int32]int64) (bool, error) {
	at, err := e.reader.OffsetsAt(ctx, schemas.Raw, limit)
	for p := range starts {
		if min(at[p], ends[p]) > starts[p] {
			return true, err
		}
	}
	return false, err
}

// timeAt gives the time of the first raw record from an offset on; zero where there is none.
func (e *evidenceReader) timeAt(ctx context.Context, partition int32, offset int64) (at time.Time, err error) {
	_, err = e.evidence.Raw.Scan(ctx, partition, record.ScanFrom{Offset: offset}, func(r record.Record) error {
		at = r.Time
		return errStop
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return at, err
}
