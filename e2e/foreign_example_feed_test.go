package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// sending is a record that is sent to the examples, and what is known of it.
type sending struct {
	record  *kgo.Record
	event   *kycv1.SessionEvent // as far as it is one
	why     string              // it must be rejected
	aborted bool                // its transaction is
}

// Of the partitions, the last one stays empty.
const examplePartitions = 5

// decided is how many decisions are made up. Their lines, of more than 150 bytes, fill a pipe several times.
const decided = 2400

// events sends the samples of every vendor to `dev` and gives the records of sessions that come of them.
func events(t *testing.T, e *embedded) []*kgo.Record {
	t.Helper()
	sent := 0
	vendors := []string{"complycube", "idenfy", "idnow", "idwise", "proofme"}
	for _, vendor := range vendors {
		good := goodCases(t, vendor)
		sent += good
		if _, told, code := command(t, nil, "send", vendor, "--to", "http://"+e.listen+"/hooks/"+vendor, "--admin", "http://"+e.adminAddr,
			"--data", e.data, "--count", strconv.Itoa(good)); code != 0 {
			t.Fatalf("send the samples of %s: code %d\n%s", vendor, code, told)
		}
	}
	r := read(t, e.kafka, schemas.DefaultPrefix)
	var sessions []*kgo.Record
	var of map[string]bool // those of idnow and proofme come when their APIs were asked
	if !eventually(patience, func() bool {
		f := sorted(t, r.snapshot())
		sessions, of = nil, map[string]bool{}
		for _, event := range f.events {
			if topicOf(event.record.Topic).Base == schemas.Session {
				sessions = append(sessions, event.record)
				of[event.metadata.GetProvider()] = true
			}
		}
		return len(normalized(f)) >= sent && len(of) == len(vendors)
	}) {
		t.Fatalf("not all of %d samples are normalised (%s), or there are sessions only of %v", sent, r.missing(), of)
	}
	slices.SortFunc(sessions, func(a, b *kgo.Record) int {
		return int(a.Partition-b.Partition)*1_000_000 + int(a.Offset-b.Offset)
	})
	return sessions
}

// A feed is a topic of its own, and what is written to it: the events of vendors as they are, then many that are made
// of them, and among those all that must not mislead a consumer.
type feed struct {
	topic, kafka string
	client       *kgo.Client
	all          []sending
	sent         int
}

func newFeed(t *testing.T, kafka, topic string, fromVendors []*kgo.Record) *feed {
	t.Helper()
	m := &maker{topic: topic}
	for i, r := range fromVendors {
		event := &kycv1.SessionEvent{}
		if err := proto.Unmarshal(r.Value, event); err != nil {
			t.Fatal(err)
		}
		m.bases = append(m.bases, event)
		m.put(sending{event: event, record: &kgo.Record{Topic: topic, Partition: int32(i % (examplePartitions - 1)), Key: r.Key, Value: r.Value, Headers: r.Headers}})
	}
	for n := range decided {
		m.decision(n)
		if n%300 == 7 {
			m.strange()
		}
	}
	m.aborted()
	client := clientTo(t, kafka, kgo.TransactionalID(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression())) // as kycbridge does, for kafkajs knows gzip alone
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), examplePartitions, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	return &feed{topic: topic, kafka: kafka, client: client, all: m.sent}
}

// sendTo sends all up to the n-th, in transactions; what is to be aborted comes in some of its own.
func (f *feed) sendTo(t *testing.T, n int) {
	t.Helper()
	for f.sent < n {
		abort, portion := f.all[f.sent].aborted, []*kgo.Record{}
		for ; f.sent < n && len(portion) < 200 && f.all[f.sent].aborted == abort; f.sent++ {
			portion = append(portion, f.all[f.sent].record)
		}
		if err := f.client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := f.client.ProduceSync(t.Context(), portion...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := f.client.EndTransaction(t.Context(), kgo.TransactionEndTry(!abort)); err != nil {
			t.Fatal(err)
		}
	}
}

// maker makes records that nobody sent.
type maker struct {
	topic string
	bases []*kycv1.SessionEvent
	sent  []sending
}

func (m *maker) put(s sending) *sending {
	m.sent = append(m.sent, s)
	return &m.sent[len(m.sent)-1]
}

// event is the next one: live, valid, approved and final, of a customer.
func (m *maker) event(change func(*kycv1.SessionEvent)) sending {
	n := len(m.sent)
	e := proto.CloneOf(m.bases[n%len(m.bases)])
	id := uuid.NewSHA1(uuid.NameSpaceOID, []byte(strconv.Itoa(n))).String()
	e.Transition, e.Decision, e.Finality = kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, kycv1.Decision_DECISION_APPROVED, kycv1.Finality_FINALITY_FINAL
	md := e.GetMetadata()
	md.EventId, md.Environment, md.Subject.CustomerReference = id, kycv1.Environment_ENVIRONMENT_LIVE, fmt.Sprintf("customer-%d-%s", n, strings.Repeat("ü", 60))
	md.OccurredAt = []*timestamppb.Timestamp{nil, {Seconds: 1_767_323_045}, {Seconds: 1_767_323_045, Nanos: 120_000_000}, {Seconds: 1_767_323_045, Nanos: 1}}[n%4]
	if change != nil {
		change(e)
	}
	value, err := proto.Marshal(e)
	if err != nil {
		panic(err) // an event of ours
	}
	return sending{event: e, record: &kgo.Record{
		Topic: m.topic, Partition: int32(n % (examplePartitions - 1)), Key: fmt.Appendf(nil, "%s/made/%d", md.GetEndpoint(), n), Value: value,
		Headers: []kgo.RecordHeader{{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: []byte(id)}},
	}}
}

// decision is one of all that a vendor may decide.
func (m *maker) decision(n int) {
	m.put(m.event(func(e *kycv1.SessionEvent) {
		e.Decision, e.Finality = kycv1.Decision(1+n%5), kycv1.Finality(n%3)
		if e.GetFinality() == kycv1.Finality_FINALITY_PRELIMINARY {
			e.Transition = kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING
		}
	}))
}

// strange is one of each that a consumer meets seldom.
func (m *maker) strange() {
	for _, change := range []func(*kycv1.SessionEvent){
		func(e *kycv1.SessionEvent) { e.Decision = 99 },
		func(e *kycv1.SessionEvent) { e.Finality = 99 },
		func(e *kycv1.SessionEvent) { e.Metadata.Environment = 99 },
		func(e *kycv1.SessionEvent) { e.Metadata.Environment = kycv1.Environment_ENVIRONMENT_SANDBOX },
		func(e *kycv1.SessionEvent) { e.Metadata.Subject.CustomerReference = "" },
		func(e *kycv1.SessionEvent) {
			e.Transition, e.Decision = kycv1.SessionTransition_SESSION_TRANSITION_STARTED, kycv1.Decision_DECISION_UNSPECIFIED
		},
	} {
		m.put(m.event(change))
	}
	m.aborted()
	m.unusable()
	m.copies()
}

// aborted are some in each partition that nobody must see.
func (m *maker) aborted() {
	for range examplePartitions {
		m.put(m.event(nil)).aborted = true
	}
}

// unusable are those that nobody can make anything of.
func (m *maker) unusable() {
	for _, broken := range []func(*kycv1.SessionEvent){
		func(e *kycv1.SessionEvent) { e.Decision = kycv1.Decision_DECISION_UNSPECIFIED }, // completed, without a verdict
		func(e *kycv1.SessionEvent) { e.Metadata.EventId = "no-uuid" },
		func(e *kycv1.SessionEvent) { e.Metadata = nil },
	} {
		sound := m.event(nil)
		broken(sound.event)
		sound.record.Value, _ = proto.Marshal(sound.event)
		sound.why = "invalid"
		m.put(sound)
	}
	for _, bytes := range [][]byte{nil, {}} {
		empty := m.event(nil)
		empty.record.Value, empty.why = bytes, "invalid"
		m.put(empty)
	}
	none := m.event(nil)
	none.record.Value, none.why = []byte("\xff\xff\xff"), "undecodable"
	m.put(none)
	noText := m.event(nil) // vendor_outcome, which must be UTF-8
	noText.record.Value, noText.why = append(noText.record.Value, 9<<3|2, 1, 0xff), "undecodable"
	m.put(noText)
	for _, headers := range [][]kgo.RecordHeader{nil, {{Key: "ce_id"}}} {
		nameless := m.event(nil)
		nameless.record.Headers, nameless.why = headers, "no id"
		m.put(nameless)
	}
}

// copies are of an event that was stored, and of one that was rejected: an id counts once, whatever comes with it.
func (m *maker) copies() {
	for _, why := range []string{"", "invalid"} {
		at := slices.IndexFunc(m.sent, func(s sending) bool { return s.why == why && !s.aborted })
		again, first := m.event(nil), m.sent[at].record
		again.record.Partition, again.record.Headers = first.Partition, first.Headers
		m.put(again)
	}
}

// expected is what an example must have stored when it has read all that was sent.
func (f *feed) expected(sandboxToo bool) books {
	b, seen, next := books{}, map[string]bool{}, map[int32]int64{}
	for _, s := range f.all[:f.sent] {
		if s.aborted {
			continue
		}
		r := s.record
		next[r.Partition] = r.Offset + 1
		id := idOf(r)
		switch {
		case id != "" && seen[id]:
			continue
		case id != "":
			seen[id] = true
			b.add("inbox", id, r.Topic, r.Partition, r.Offset)
		}
		switch {
		case s.why != "":
			b.add("rejected", r.Topic, r.Partition, r.Offset, s.why)
		case s.event.GetDecision() != kycv1.Decision_DECISION_UNSPECIFIED:
			b.add("decisions", append([]any{id}, decisionOf(s.event, string(r.Key), sandboxToo)...)...)
		}
	}
	for p, offset := range next {
		b.add("offsets", f.topic, p, offset)
	}
	return b.sorted()
}

func idOf(r *kgo.Record) string {
	for _, h := range r.Headers {
		if h.Key == "ce_id" {
			return string(h.Value)
		}
	}
	return ""
}

// decisionOf are the columns of a decision, but for its id.
func decisionOf(e *kycv1.SessionEvent, key string, sandboxToo bool) []any {
	m := e.GetMetadata()
	decision := map[int32]string{1: "APPROVED", 2: "DECLINED", 3: "REVIEW", 4: "INCOMPLETE", 5: "UNDETERMINED", 99: "UNKNOWN_99"}[int32(e.GetDecision())]
	acted := map[string]string{"APPROVED": "open", "DECLINED": "refuse", "UNKNOWN_99": "unknown"}[decision]
	finality := map[int32]string{0: "UNSPECIFIED", 1: "PRELIMINARY", 2: "FINAL", 99: "UNKNOWN_99"}[int32(e.GetFinality())]
	switch reference := m.GetSubject().GetCustomerReference(); {
	case m.GetEnvironment() != kycv1.Environment_ENVIRONMENT_LIVE && !sandboxToo:
		acted = "sandbox"
	case acted == "unknown":
	case finality == "PRELIMINARY":
		acted = "wait"
	case reference == "":
		acted = "no reference"
	case acted == "":
		acted = "ask"
	}
	at := func(ts *timestamppb.Timestamp) string {
		if ts == nil {
			return ""
		}
		return ts.AsTime().Format(time.RFC3339Nano)
	}
	return []any{m.GetEndpoint(), strings.TrimPrefix(key, m.GetEndpoint()+"/"), m.GetSubject().GetCustomerReference(), decision, finality, acted,
		at(m.GetOccurredAt()), at(m.GetReceivedAt())}
}
