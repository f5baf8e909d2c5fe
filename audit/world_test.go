package audit_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const partitions = 2

// world is all topics in memory, filled as the stages would.
type world struct {
	t          *testing.T
	topics     map[string][][]record.Record // by base name and partition
	spans      map[int32]audit.Span
	ledger     *audit.Ledger
	former     [][16]byte // see audit.Topics
	tick       int
	twinBegins int64 // the first offset of the JSON topic
	mu         sync.Mutex
	scans      map[string]int
	during     func(base string, partition int32) // called when a scan has reached its end
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, topics: map[string][][]record.Record{}, spans: map[int32]audit.Span{}, scans: map[string]int{}}
	for _, topic := range schemas.Topics() {
		w.topics[topic.Base] = make([][]record.Record, partitions)
	}
	return w
}

func (w *world) at(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }

// add appends a record, and returns its position.
func (w *world) add(base string, partition int32, key string, m proto.Message, headers ...record.Header) record.Position {
	w.t.Helper()
	value, err := contract.Marshal(m)
	if err != nil {
		w.t.Fatal(err)
	}
	w.tick++
	r := record.Record{
		Topic: "kyc." + base, Partition: partition, Offset: int64(len(w.topics[base][partition])), Time: w.at(w.tick),
		Key: []byte(key), Value: value, Headers: headers,
	}
	w.topics[base][partition] = append(w.topics[base][partition], r)
	return record.Position{Partition: partition, Offset: r.Offset}
}

func (w *world) topic(base string) audit.Topic {
	return audit.Topic{Base: base, Name: "kyc." + base, Partitions: partitions,
		Scan: func(_ context.Context, partition int32, from record.ScanFrom, fn func(record.Record) error) (int64, error) {
			w.mu.Lock()
			w.scans[base]++
			w.mu.Unlock()
			records := slices.Clone(w.topics[base][partition])
			for _, r := range records {
				if r.Offset < from.Offset || r.Time.Before(from.Time) {
					continue
				}
				if err := fn(r); err != nil {
					return r.Offset, err
				}
			}
			if w.during != nil {
				w.during(base, partition)
			}
			return int64(len(records)), nil
		}}
}

// evidence is what the world holds; partitions without a span of their own are judged whole.
func (w *world) evidence() audit.Evidence {
	e := audit.Evidence{Spans: map[int32]audit.Span{}, Ledger: w.ledger}
	e.Former = w.former
	topics := schemas.Topics()
	for _, t := range schemas.JSONTopics() {
		if w.topics[t.Base] != nil {
			topics = append(topics, t)
		}
	}
	for _, t := range topics {
		if topic := w.topic(t.Base); !e.Put(topic) {
			e.Tasks = append(e.Tasks, topic)
		}
	}
	for p := range int32(partitions) {
		span, ok := w.spans[p]
		if !ok {
			end := int64(len(w.topics[schemas.Raw][p]))
			span = audit.Span{Next: end, Done: end, End: end}
		}
		e.Spans[p] = span
	}
	return e
}

func (w *world) verify(o audit.VerifyOptions) *audit.Verdict {
	w.t.Helper()
	v, err := audit.Verify(w.t.Context(), w.evidence(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// webhook is one delivery as the world's stages see it.
type webhook struct {
	id, subject string
	partition   int32
}

func (h webhook) key() string { return "shop/" + h.subject }

// delivery is our id of a delivery: the same for the same raw record.
func delivery(raw record.Position) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(raw.String())).String()
}

// receivedAt is when a delivery came: one a second.
func receivedAt(raw record.Position) time.Time {
	return noon.Add(time.Duration(raw.Offset) * time.Second)
}

// receive writes the raw record of a webhook.
func (w *world) receive(h webhook) record.Position {
	raw := record.Position{Partition: h.partition, Offset: int64(len(w.topics[schemas.Raw][h.partition]))}
	return w.add(schemas.Raw, h.partition, h.key(), &kycv1.RawEnvelope{
		Provider: "complycube", Endpoint: "shop", ReceivedAt: timestamppb.New(receivedAt(raw)), DeliveryId: delivery(raw),
		Body: []byte(`{"name":"CANARY"}`),
	})
}

func rawPosition(raw record.Position) *kycv1.RawPosition {
	return &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: raw.Partition, Offset: raw.Offset}
}

func traced(raw record.Position) record.Header {
	id := uuid.MustParse(delivery(raw))
	return record.Header{Key: "traceparent", Value: fmt.Appendf(nil, "00-%x-0102030405060708-01", id[:])}
}

// dispose writes a disposition; change may spoil it.
func (w *world) dispose(h webhook, raw record.Position, kind kycv1.DispositionKind, change ...func(*kycv1.Disposition)) {
	d := &kycv1.Disposition{
		Raw: rawPosition(raw), RawTopicId: make([]byte, 16), Provider: "complycube", Endpoint: "shop", Stage: kycv1.Stage_STAGE_NORMALIZE,
		Kind: kind, VendorEventId: h.id, VendorEventType: "check.completed", MapperVersion: "complycube/1",
		ReceivedAt: timestamppb.New(receivedAt(raw)), DecidedAt: timestamppb.New(w.at(w.tick)),
	}
	for _, c := range change {
		c(d)
	}
	w.add(schemas.DispositionTopic, h.partition, h.key(), d, traced(raw))
}

// eventOf is the id of a webhook's event.
func eventOf(h webhook) string { return uuid.NewSHA1(uuid.NameSpaceURL, []byte(h.id)).String() }

func event(h webhook) func(*kycv1.Disposition) {
	return func(d *kycv1.Disposition) { d.EventIds = []string{eventOf(h)} }
}

// emit writes the event of a webhook.
func (w *world) emit(h webhook, raw record.Position, change ...func(*kycv1.EventMetadata)) {
	md := &kycv1.EventMetadata{
		EventId: eventOf(h), Provider: "complycube", Endpoint: "shop", VendorEventId: h.id, VendorEventType: "check.completed",
		Subject: &kycv1.Subject{CheckId: h.subject, SessionId: "session-of-" + h.subject}, Raw: rawPosition(raw), ReceivedAt: timestamppb.New(receivedAt(raw)),
		Hydration: kycv1.Hydration_HYDRATION_NOT_NEEDED,
	}
	for _, c := range change {
		c(md)
	}
	w.add(schemas.Check, h.partition, h.key(), &kycv1.CheckEvent{Metadata: md, Result: kycv1.CheckResult_CHECK_RESULT_PASSED})
}

// twin writes the newest event of a webhook's partition as JSON; change may spoil its record.
func (w *world) twin(h webhook, change ...func(*record.Record)) {
	w.t.Helper()
	all := w.topics[schemas.Check][h.partition]
	from := all[len(all)-1]
	e := &kycv1.CheckEvent{}
	if err := contract.Unmarshal(from.Value, e); err != nil {
		w.t.Fatal(err)
	}
	value, err := contract.JSON{}.Encode(e)
	if err != nil {
		w.t.Fatal(err)
	}
	w.tick++
	r := record.Record{
		Topic: "kyc." + checkJSON, Partition: h.partition, Time: w.at(w.tick), Key: from.Key, Value: value,
		Headers: []record.Header{{Key: "ce_id", Value: []byte(e.GetMetadata().GetEventId())}},
	}
	for _, f := range e.GetMetadata().GetFlags() {
		if label, ok := strings.CutPrefix(f, "replay="); ok {
			r.Headers = append(r.Headers, record.Header{Key: "replay", Value: []byte(label)})
		}
	}
	for _, c := range change {
		c(&r)
	}
	w.putTwin(r)
}

// putTwin appends to the JSON topic, and makes it.
func (w *world) putTwin(r record.Record) {
	if w.topics[checkJSON] == nil {
		w.topics[checkJSON] = make([][]record.Record, partitions)
	}
	r.Offset = w.twinBegins + int64(len(w.topics[checkJSON][r.Partition]))
	w.topics[checkJSON][r.Partition] = append(w.topics[checkJSON][r.Partition], r)
}

const checkJSON = schemas.Check + ".json"

func (w *world) bury(h webhook, raw record.Position, headers ...record.Header) {
	w.add(schemas.DeadLetterTopic, h.partition, h.key(), &kycv1.DeadLetter{
		Raw: rawPosition(raw), Reason: kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED, Field: "type", Stage: "map",
		Detail: "no mapping for this event type", Attempts: 1,
	}, headers...)
}

const (
	emitted   = kycv1.DispositionKind_DISPOSITION_KIND_EMITTED
	duplicate = kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE
	dead      = kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED
	hydrating = kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING
)

func of(raw record.Position) func(*kycv1.Disposition) {
	return func(d *kycv1.Disposition) { d.DuplicateOf = rawPosition(raw) }
}

func reason(r kycv1.DeadLetterReason) func(*kycv1.Disposition) {
	return func(d *kycv1.Disposition) { d.Reason = r }
}

func hydrated(claimed int64) func(*kycv1.Disposition) {
	return func(d *kycv1.Disposition) {
		d.Stage = kycv1.Stage_STAGE_HYDRATE
		d.Claimed = &kycv1.RawPosition{Topic: "kyc.hydrate.v1", Partition: d.GetRaw().GetPartition(), Offset: claimed}
		d.ClaimedTopicId = make([]byte, 16)
	}
}

func replayedBy(id string) func(*kycv1.Disposition) {
	return func(d *kycv1.Disposition) { d.Stage, d.ReplayId = kycv1.Stage_STAGE_REPLAY, id }
}

func flagged(flags ...string) func(*kycv1.EventMetadata) {
	return func(md *kycv1.EventMetadata) { md.Flags = flags }
}

func fetchedAt(at time.Time) func(*kycv1.EventMetadata) {
	return func(md *kycv1.EventMetadata) {
		md.Hydrated, md.Hydration, md.FetchedAt = true, kycv1.Hydration_HYDRATION_FETCHED, timestamppb.New(at)
	}
}

// pass takes a webhook through all of it, as one that becomes an event.
func (w *world) pass(h webhook) record.Position {
	raw := w.receive(h)
	w.emit(h, raw)
	w.dispose(h, raw, emitted, event(h))
	return raw
}

// healthy is a world with something of everything, and nothing wrong: raw partition 0 holds an
// event (0), its duplicate (1), a dead letter (2), a hydrated event (3) whose webhook is repeated
// (4), one that waits for the API (5) and one of another subject (6); partition 1 an event (0).
func healthy(t *testing.T) *world {
	w := newWorld(t)
	a, b, c, d := webhook{"a", "s1", 0}, webhook{"b", "s1", 0}, webhook{"c", "s2", 0}, webhook{"d", "s3", 0}
	first := w.pass(a)
	w.dispose(a, w.receive(a), duplicate, of(first))
	letter := w.receive(b)
	w.bury(b, letter)
	w.dispose(b, letter, dead, reason(kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED))
	asked := w.receive(c)
	w.dispose(c, asked, hydrating)
	w.dispose(c, w.receive(c), duplicate, of(asked))
	w.emit(c, asked, fetchedAt(noon))
	w.dispose(c, asked, emitted, event(c), hydrated(7))
	waits := w.receive(d)
	w.dispose(d, waits, hydrating)
	w.add(schemas.HydrateWait, 0, d.key(), &kycv1.HydrateTask{Raw: rawPosition(waits)})
	w.pass(webhook{"e", "s4", 0})
	f := webhook{"f", "s5", 1}
	other := w.receive(f)
	w.emit(f, other)
	w.dispose(f, other, emitted, event(f), func(d *kycv1.Disposition) { d.DedupeFlag = "conflict" })
	w.ledger = &audit.Ledger{
		Accepted: map[string]bool{"a": true, "b": true, "c": true, "e": true, "f": true}, Forged: map[string]bool{"z": true},
	}
	return w
}
