package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// found is what a reader saw, sorted by meaning.
type found struct {
	raw          []*kgo.Record
	dispositions []*kycv1.Disposition
	dead         []*kycv1.DeadLetter
	events       []emitted
	twins        []emitted      // the events as JSON
	verdict      *audit.Verdict // of judge
}

// emitted is one domain record.
type emitted struct {
	record   *kgo.Record
	metadata *kycv1.EventMetadata
}

func sorted(t testing.TB, records map[position]*kgo.Record) found {
	t.Helper()
	var out found
	for at, record := range records {
		switch topic := topicOf(at.topic); {
		case topic.Base == schemas.Raw:
			out.raw = append(out.raw, record)
		case topic.Base == schemas.DispositionTopic:
			out.dispositions = append(out.dispositions, decode[*kycv1.Disposition](t, record))
		case topic.Base == schemas.DeadLetterTopic:
			out.dead = append(out.dead, decode[*kycv1.DeadLetter](t, record))
		case topic.TwinOf != "":
			out.twins = append(out.twins, emitted{record, decode[schemas.DomainEvent](t, record).GetMetadata()})
		case topic.Domain:
			out.events = append(out.events, emitted{record, decode[schemas.DomainEvent](t, record).GetMetadata()})
		}
	}
	return out
}

// oracleSays is what each check of package audit is called in a failed test.
var oracleSays = map[string]string{"O1": "LOST", "O2": "DOUBLED", "O3": "LET IN", "O4": "UNACCOUNTED", "O5": "OUT OF ORDER", "O6": "NOT ALIKE"}

// judge holds what was read against what was answered, by O1 to O5 of package audit and by O6: everything that
// was read must be processed and disposed of, nothing may wait, and nothing may be in doubt.
func judge(t testing.TB, l *load, records map[position]*kgo.Record) found {
	t.Helper()
	f := sorted(t, records)
	e := evidence(records)
	l.mu.Lock()
	e.Ledger = &audit.Ledger{Accepted: map[string]bool{}, Forged: maps.Clone(l.forged)}
	for key := range l.acked {
		e.Ledger.Accepted[key] = true
	}
	l.mu.Unlock()
	v, err := audit.Verify(context.Background(), e, audit.VerifyOptions{MaxListed: 5, Together: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range v.Checks {
		if c.Violations > 0 {
			t.Errorf("%s: %d of %d (%s): %v", oracleSays[c.ID], c.Violations, c.Looked, c.What, c.First)
		}
	}
	for word, n := range v.Flagged {
		t.Errorf("%d events carry dedupe=%s, want no flag: nothing was in doubt", n, word)
	}
	positions := map[position]bool{}
	for _, d := range f.dispositions {
		positions[rawOf(d.GetRaw())] = true
	}
	if len(positions) > len(f.raw) || v.Unread > 0 {
		t.Errorf("%d raw positions have dispositions, and %d raw records exist; %d records cannot be read", len(positions), len(f.raw), v.Unread)
	}
	if l.json {
		alike(t, f)
	}
	f.verdict = v
	tellsNothing(t, records)
	return f
}

// evidence hands what a reader collected to package audit.
func evidence(records map[position]*kgo.Record) audit.Evidence {
	logs := map[string]map[int32][]record.Record{} // by base name and partition, in order
	for at, r := range records {
		base := topicOf(at.topic).Base
		if logs[base] == nil {
			logs[base] = map[int32][]record.Record{}
		}
		logs[base][at.partition] = append(logs[base][at.partition], auditRecord(r))
	}
	e := audit.Evidence{Spans: map[int32]audit.Span{}}
	for _, t := range schemas.Topics() {
		e.Put(logTopic(t.Base, logs[t.Base])) // no delivery here waits for a vendor's API
	}
	for _, t := range schemas.JSONTopics() {
		if logs[t.Base] != nil {
			e.Put(logTopic(t.Base, logs[t.Base]))
		}
	}
	for p, log := range logs[schemas.Raw] {
		end := log[len(log)-1].Offset + 1
		e.Spans[p] = audit.Span{First: log[0].Offset, Next: end, Done: end}
	}
	return e
}

// alike holds events against their JSON more strictly than O6 of package audit, since JSON was on all the time: each is
// there once, in the partition of that number, and says the same.
func alike(t testing.TB, f found) {
	t.Helper()
	type place struct {
		topic     string
		partition int32
		id        string
	}
	events, twins := map[place][]emitted{}, map[place][]emitted{}
	for _, e := range f.events {
		at := place{topicOf(e.record.Topic).Base, e.record.Partition, e.metadata.GetEventId()}
		events[at] = append(events[at], e)
	}
	for _, e := range f.twins {
		at := place{topicOf(e.record.Topic).TwinOf, e.record.Partition, e.metadata.GetEventId()}
		twins[at] = append(twins[at], e)
		if len(events[at]) == 0 {
			t.Errorf("NOT ALIKE: the JSON of %+v is of no event", at)
		}
	}
	for at, e := range events {
		if len(e) != 1 || len(twins[at]) != 1 || !proto.Equal(e[0].metadata, twins[at][0].metadata) {
			t.Errorf("NOT ALIKE: %+v is %d times an event, and %d times JSON", at, len(e), len(twins[at]))
		}
	}
}

func auditRecord(r *kgo.Record) record.Record {
	out := record.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, record.Header{Key: h.Key, Value: h.Value})
	}
	return out
}

// logTopic is a topic in memory. It sorts the log.
func logTopic(base string, log map[int32][]record.Record) audit.Topic {
	out := audit.Topic{Base: base, Name: base}
	for p, records := range log {
		out.Partitions = max(out.Partitions, p+1)
		slices.SortFunc(records, func(a, b record.Record) int { return int(a.Offset - b.Offset) })
	}
	out.Scan = func(_ context.Context, p int32, from record.ScanFrom, fn func(record.Record) error) (int64, error) {
		next := int64(0)
		for _, r := range log[p] {
			next = r.Offset + 1
			if r.Offset < from.Offset {
				continue
			}
			if err := fn(r); err != nil {
				return r.Offset, err
			}
		}
		return next, nil
	}
	return out
}

func some(all []string) string {
	sort.Strings(all)
	return fmt.Sprint(all[:min(len(all), 5)])
}

// TestAlikeCanFail: an event without JSON, JSON without event, one too many, and one that says something else are seen.
func TestAlikeCanFail(t *testing.T) {
	of := func(base, id string) emitted {
		return emitted{&kgo.Record{Topic: schemas.DefaultPrefix + base}, &kycv1.EventMetadata{EventId: id}}
	}
	const twin = schemas.Session + ".json"
	other := of(twin, "a")
	other.metadata.Flags = []string{"stale=true"}
	elsewhere := of(twin, "a")
	elsewhere.record.Partition = 1
	for n, c := range []struct {
		f    found
		says int
	}{
		{found{events: []emitted{of(schemas.Session, "a")}, twins: []emitted{of(twin, "a")}}, 0},
		{found{events: []emitted{of(schemas.Session, "a")}}, 1},
		{found{twins: []emitted{of(twin, "a")}}, 1},
		{found{events: []emitted{of(schemas.Session, "a")}, twins: []emitted{of(twin, "a"), of(twin, "a")}}, 1},
		{found{events: []emitted{of(schemas.Session, "a")}, twins: []emitted{other}}, 1},
		{found{events: []emitted{of(schemas.Session, "a")}, twins: []emitted{elsewhere}}, 2},
	} {
		seen := &failures{TB: t}
		if alike(seen, c.f); len(seen.text) != c.says {
			t.Errorf("%d: says %q, want %d", n, seen.text, c.says)
		}
	}
}

// TestJudgeCanFail: a reader that misses records is told so.
func TestJudgeCanFail(t *testing.T) {
	l := newLoad("none")
	l.acked["none-1"] = 1
	r := &kgo.Record{Topic: schemas.DefaultPrefix + schemas.Raw, Offset: 3}
	failed := &failures{TB: t}
	judge(failed, l, map[position]*kgo.Record{{r.Topic, 0, 3}: r})
	if got := strings.Join(failed.text, "\n"); !strings.Contains(got, "LOST: 1 of 1") || !strings.Contains(got, "UNACCOUNTED: 1 of 1") {
		t.Errorf("judge says %q, want one lost delivery and one raw record without a disposition", got)
	}
}

// failures collects what a test would fail with.
type failures struct {
	testing.TB
	text []string
}

func (f *failures) Errorf(format string, args ...any) {
	f.text = append(f.text, fmt.Sprintf(format, args...))
}
