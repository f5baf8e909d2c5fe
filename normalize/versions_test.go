package normalize_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"testing"

	"buf.build/go/protovalidate"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	kycv2 "github.com/kycbridge/kycbridge/normalize/normalizetest/kyc/v2"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// A second version beside the first: the worked example of docs/evolution.md, with the invented contract in
// testdata/evolution.

const (
	sessionV1 = "kyc.v1.SessionEvent"
	sessionV2 = "session.v2" // the topic, by base name
)

// row is what the catalogue gets for it. TwinOf moves to the first version's row when that is switched off.
var row = schemas.Topic{
	Base: sessionV2, Message: &kycv2.SessionEvent{}, Key: "as in v1", Retention: schemas.RetainDomain, Domain: true, TwinOf: schemas.Session,
}

// second is the form of kyc.v2: which messages it writes to which topics, and how they are made of kyc.v1's.
func second() contract.Form {
	return contract.Form{
		Topics: map[protoreflect.FullName]string{"kyc.v2.SessionEvent": sessionV2},
		Convert: func(e schemas.DomainEvent) (proto.Message, error) {
			if s, ok := e.(*kycv1.SessionEvent); ok {
				return toV2(s), nil
			}
			return nil, nil // the other events have no second version
		},
	}
}

// toV2 says the same in the words of kyc.v2. The metadata are the event's own, so the id is the same.
func toV2(e *kycv1.SessionEvent) *kycv2.SessionEvent {
	out := &kycv2.SessionEvent{Metadata: e.GetMetadata(), Transition: e.GetTransition(), VendorStatus: e.GetVendorStatus()}
	if e.GetDecision() != kycv1.Decision_DECISION_UNSPECIFIED {
		out.Verdict = &kycv2.Verdict{
			Decision: e.GetDecision(), DecidedBy: e.GetDecidedBy(),
			Settled: e.GetFinality() != kycv1.Finality_FINALITY_PRELIMINARY,
		}
	}
	return out
}

// both writes kyc.v1 and kyc.v2, and next, once consumers have moved, kyc.v2 alone of the session events.
func both(o *normalize.Options) { o.Forms = []contract.Form{contract.Domain(nil), second()} }

func next(o *normalize.Options) {
	first := contract.Domain(nil)
	delete(first.Topics, sessionV1)
	o.Forms = []contract.Form{first, second()}
}

// newVersions is a world with the topic of kyc.v2, and normalisers that know its rules.
func newVersions(t *testing.T) *versions {
	t.Helper()
	w := newWorld(t, 1, kfake.SeedTopics(1, schemas.DefaultPrefix+sessionV2))
	return &versions{w}
}

type versions struct{ *world }

func (w *versions) begin(forms func(*normalize.Options)) *process {
	w.T.Helper()
	return w.start(0, forms, func(o *normalize.Options) { o.Validator = rulesOfBoth{o.Validator} })
}

// rulesOfBoth has the rules of kyc.v2 as well. A version that is in proto/ is known to contract.Validator.
type rulesOfBoth struct{ contract.Rules }

func (r rulesOfBoth) Validate(m proto.Message) error {
	if _, ok := m.(*kycv2.SessionEvent); ok {
		return protovalidate.Validate(m)
	}
	return r.Rules.Validate(m)
}

// ids are the event ids on a topic, as consumers of any language see them.
func (w *versions) ids(base string) (ids []string) {
	for _, r := range w.Read(base) {
		ids = append(ids, header(r, "ce_id"))
	}
	return ids
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// pour sends deliveries with these texts, one subject each.
func (w *versions) pour(texts ...string) {
	for _, text := range texts {
		w.send(0, said{Subject: text, ID: text, Text: text})
	}
	w.settle()
}

// TestVersionsSideBySide: while both are written, each delivery gives its event in both, with one id, key and
// partition; once the first is switched off, the second goes on, and nothing is lost or doubled in between.
func TestVersionsSideBySide(t *testing.T) {
	w := newVersions(t)
	p := w.begin(both)
	w.pour("a", "b", "c")
	first, other := w.Read(schemas.Session), w.Read(sessionV2)
	if len(first) != 3 || len(other) != 3 {
		t.Fatalf("%d events of v1 and %d of v2 for 3 deliveries", len(first), len(other))
	}
	for n := range first {
		sameEvent(t, first[n], other[n])
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}

	w.begin(next)
	w.pour("d", "e", "a") // the last one is a copy
	if got := w.Read(schemas.Session); len(got) != 3 {
		t.Errorf("%d events of v1 after it was switched off, expected the 3 from before", len(got))
	}
	var texts []string
	for _, r := range w.Read(sessionV2) {
		e, ok := normalizetest.Must(contract.Decode(nil, row, r.Value))(t).(*kycv2.SessionEvent)
		if !ok {
			t.Fatalf("a record of %s is no event of kyc.v2", sessionV2)
		}
		if id := e.GetMetadata().GetEventId(); id != header(r, "ce_id") {
			t.Errorf("the event of v2 says that it is %s, its record %s", id, header(r, "ce_id"))
		}
		texts = append(texts, e.GetVendorStatus())
	}
	if want := []string{"a/a", "b/b", "c/c", "d/d", "e/e"}; !slices.Equal(texts, want) {
		t.Errorf("events of v2 %q, expected %q", texts, want)
	}
	w.audit()
}

// sameEvent compares what both versions say of one event outside of its value.
func sameEvent(t *testing.T, first, other *kgo.Record) {
	t.Helper()
	if first.Partition != other.Partition || string(first.Key) != string(other.Key) {
		t.Errorf("v1 is in partition %d under %q, v2 in %d under %q", first.Partition, first.Key, other.Partition, other.Key)
	}
	for _, name := range []string{"ce_id", "ce_source", "ce_subject", "ce_time", "traceparent"} {
		if a, b := header(first, name), header(other, name); a == "" || a != b {
			t.Errorf("%s is %q in v1 and %q in v2", name, a, b)
		}
	}
	if a, b := header(first, "ce_dataschema"), header(other, "ce_dataschema"); a != "urn:kycbridge:"+sessionV1 || b != "urn:kycbridge:kyc.v2.SessionEvent" {
		t.Errorf("ce_dataschema is %q in v1 and %q in v2", a, b)
	}
}

// TestVersionsStandOrFallTogether: a process that is killed when only the first version is in the log, or both are
// and not committed, shows consumers neither; the one after it writes both.
func TestVersionsStandOrFallTogether(t *testing.T) {
	for _, c := range []struct {
		name    string
		hold    func(*versions) (release func()) // keeps a process from going on
		written map[string]bool                  // the topics that it has written to by then
	}{
		{"before the second is written", (*versions).holdV2, map[string]bool{schemas.Session: true, sessionV2: false}},
		{"before both are committed", (*versions).holdCommit, map[string]bool{schemas.Session: true, sessionV2: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newVersions(t)
			release := c.hold(w)
			p := w.begin(both)
			w.send(0, said{Subject: "s", ID: "1", Text: "x"})
			w.Await("the moment", func() bool { return maps.Equal(w.written(), c.written) })
			p.kill()
			release()
			for base, end := range w.visible() {
				if end != 0 {
					t.Errorf("consumers see %s up to %d, though nothing is committed", base, end)
				}
			}
			w.begin(both)
			w.settle()
			first, other := w.ids(schemas.Session), w.ids(sessionV2)
			if len(first) != 1 || !slices.Equal(first, other) {
				t.Errorf("events of v1 %q and of v2 %q, expected one and the same", first, other)
			}
			w.audit()
		})
	}
}

// holdV2 lets what is for other topics into the log, and not what is for kyc.v2, which is sent again and again.
func (w *versions) holdV2() (release func()) {
	id := w.topics()[schemas.DefaultPrefix+sessionV2].ID
	return w.hold(kmsg.Produce, func(r kmsg.Request) (answered bool) {
		if produce, ok := r.(*kmsg.ProduceRequest); ok {
			produce.Topics = slices.DeleteFunc(produce.Topics, func(t kmsg.ProduceRequestTopic) bool {
				return t.Topic == schemas.DefaultPrefix+sessionV2 || t.TopicID == id
			})
		}
		return false
	})
}

// holdCommit hangs up on whoever wants to commit.
func (w *versions) holdCommit() (release func()) {
	return w.hold(kmsg.EndTxn, func(kmsg.Request) (answered bool) { return true })
}

// errGone is what a connection ends with instead of an answer.
var errGone = errors.New("the connection is gone")

// hold changes or answers the requests of a kind until it is released.
func (w *versions) hold(key kmsg.Key, change func(kmsg.Request) (answered bool)) (release func()) {
	var released atomic.Bool
	w.Cluster.ControlKey(key.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.Cluster.KeepControl()
		if released.Load() || !change(r) {
			return nil, nil, false
		}
		return nil, errGone, true
	})
	return func() { released.Store(true) }
}

func (w *versions) topics() kadm.TopicDetails {
	w.T.Helper()
	all, err := kadm.NewClient(w.Client).ListTopics(w.Ctx)
	if err != nil {
		w.T.Fatal(err)
	}
	return all
}

// written reports for the topics of both versions whether anything is in the log.
func (w *versions) written() map[string]bool {
	there := map[string]bool{}
	for base, end := range w.ends(kadm.NewClient(w.Client).ListEndOffsets) {
		there[base] = end > 0
	}
	return there
}

// visible is how far a consumer at read_committed sees.
func (w *versions) visible() map[string]int64 {
	return w.ends(kadm.NewClient(w.Client).ListCommittedOffsets)
}

func (w *versions) ends(list func(context.Context, ...string) (kadm.ListedOffsets, error)) map[string]int64 {
	w.T.Helper()
	ends := map[string]int64{}
	for _, base := range []string{schemas.Session, sessionV2} {
		name := schemas.DefaultPrefix + base
		listed, err := list(w.Ctx, name)
		if err != nil {
			w.T.Fatal(err)
		}
		ends[base] = listed[name][0].Offset
	}
	return ends
}
