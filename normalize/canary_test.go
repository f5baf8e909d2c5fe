package normalize_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/canary"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/providers/providertest"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// sightings are the kinds of data that were seen where they may not be, by the exit and what was planted where.
type sightings map[string][]string

func (s sightings) note(exit, where, kind string) {
	at := exit + ", planted at " + where
	if !slices.Contains(s[at], kind) {
		s[at] = append(s[at], kind)
	}
}

func (s sightings) report(t testing.TB) {
	t.Helper()
	for _, at := range slices.Sorted(maps.Keys(s)) {
		t.Errorf("personal data in %s: %v", at, s[at])
	}
}

// TestNoCanaryLeaves plants data about a person in every place of every vendor's fixtures, and looks at what is
// written for each: keys and headers of all records, and the values but for the fields that may hold it.
func TestNoCanaryLeaves(t *testing.T) {
	for _, p := range catalog.All() {
		t.Run(p.Name, func(t *testing.T) {
			i := normalize.NewInterpreter([]providers.Provider{p}, normalizetest.Validator(t), normalize.InterpreterOptions{
				Hydrates: func(string) bool { return p.Hydration != nil }, Gate: pepperedGate,
			})
			seen, written, n := sightings{}, map[string]int{}, 0
			for planted, d := range providertest.Plantings(t, p) {
				if n++; n%3 > 0 {
					continue // the vendor's suite looks at the mapping of all
				}
				r := read(t, i, p, d)
				for _, d := range r.Drift {
					if planted.In([]byte(d.Kind)) {
						seen.note("a metric's label", planted.Where, planted.Kind)
					}
				}
				for _, out := range outgoing(t, r) {
					written[out.Topic]++
					leaving(t, seen, planted, out)
				}
			}
			for _, topic := range []string{schemas.DispositionTopic, schemas.DeadLetterTopic} {
				if written[topic] == 0 {
					t.Errorf("no record of %s was looked at: %v", topic, written)
				}
			}
			seen.report(t)
		})
	}
}

// read interprets a delivery under the key that ingest gives it, after the API was asked where it was.
func read(t testing.TB, i *normalize.Interpreter, p providers.Provider, d *providers.Delivery) *normalize.Reading {
	t.Helper()
	e := &kycv1.RawEnvelope{
		Provider: p.Name, Endpoint: d.Endpoint, Tenant: d.Tenant, Environment: d.Environment, ContentType: d.ContentType,
		ReceivedAt: timestamppb.New(d.ReceivedAt), Method: "POST", Body: d.Body, DeliveryId: "01900000-0000-7000-8000-0000000000aa",
	}
	for name, values := range d.Headers {
		for _, v := range values {
			e.Headers = append(e.Headers, &kycv1.HttpHeader{Name: name, Value: v})
		}
	}
	raw := normalize.RawRecord{Topic: schemas.DefaultPrefix + schemas.Raw, TopicID: [16]byte{1}, Key: p.RecordKey(d)}
	if d.Fetched == nil {
		value, err := contract.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		raw.Value = value
		return interpret(t, i, raw)
	}
	task := &kycv1.HydrateTask{
		Envelope: e, Raw: &kycv1.RawPosition{Topic: raw.Topic}, FetchResult: d.Fetched.Result, FetchedKind: d.Fetched.Kind,
		Fetched: d.Fetched.Body, FetchedAt: timestamppb.New(d.Fetched.At),
	}
	in := normalize.RawRecord{Topic: schemas.DefaultPrefix + schemas.Hydrate, TopicID: [16]byte{2}, Key: raw.Key}
	return normalizetest.Must(i.InterpretTask(in, raw.TopicID, task))(t)
}

// pepperedGate is that of a deployment with a pepper.
var pepperedGate = providers.NewGate([]byte("a pepper of the tests"))

// outgoing is what is written for a reading: where it counts, and where it repeats another.
func outgoing(t testing.TB, r *normalize.Reading) []record.Outgoing {
	t.Helper()
	item := r.Item(dedupe.NewKeyer(nil))
	counts := dedupe.Verdict{Action: dedupe.Publish, Key: item.Key, Keyed: item.Identified}
	all := normalizetest.Must(r.Records(counts, received))(t)
	return append(all, normalizetest.Must(r.Records(dedupe.Verdict{Action: dedupe.Duplicate, Key: item.Key, Keyed: item.Identified}, received))(t)...)
}

// leaving notes where a record holds what was planted.
func leaving(t testing.TB, seen sightings, planted providertest.Planting, out record.Outgoing) {
	t.Helper()
	say := func(exit string, text []byte) {
		if !planted.May(canary.Kept, planted.Nowhere) && planted.In(text) {
			seen.note(exit, planted.Where, planted.Kind)
		}
	}
	say("the key of "+out.Topic, out.Key)
	for _, h := range out.Headers {
		if h.Key == "ce_time" {
			continue // a date at the place of a time is a time
		}
		say("the name of a header of "+out.Topic, []byte(h.Key))
		say("the header "+h.Key+" of "+out.Topic, h.Value)
	}
	topic, _ := schemas.TopicNamed("", out.Topic)
	m := normalizetest.Must(contract.Decode(nil, topic, out.Value))(t)
	for _, leak := range planted.Leaks(m.ProtoReflect(), planted.Nowhere) {
		seen.note(string(leak.Field)+" in "+out.Topic, planted.Where, planted.Kind)
	}
}

// quoting panics with what a delivery says, in one of the forms in which a program may do that.
var quoting = map[string]func(text string){
	"a text":            func(text string) { panic(text) },
	"bytes":             func(text string) { panic([]byte(text)) },
	"an error":          func(text string) { panic(errors.New(text)) },
	"a wrapped error":   func(text string) { panic(fmt.Errorf("mapping %s: %w", text, errors.ErrUnsupported)) },
	"a value":           func(text string) { panic(struct{ Body string }{text}) },
	"a failed index":    func(text string) { _ = text[len(text)+len(text)] },
	"a failed claim":    func(text string) { _ = any(text).(fmt.Stringer) },
	"a key of no map":   func(text string) { _ = map[any]int{}[[]string{text}] },
	"a panic in a type": func(text string) { panic(loud(text)) },
}

// loud is an error that says what it holds in every way.
type loud string

func (l loud) Error() string    { return string(l) }
func (l loud) String() string   { return string(l) }
func (l loud) GoString() string { return string(l) }

// TestNoPanicQuotesADelivery: whatever a vendor's code panics with, neither the dead letter nor the stack that is
// logged beside it shows a word of the delivery.
func TestNoPanicQuotesADelivery(t *testing.T) {
	for what, panics := range quoting {
		for _, c := range canary.All() {
			for where, p := range map[string]providers.Provider{
				"parse": {Parse: func(d *providers.Delivery) (*providers.Notice, error) { panics(string(d.Body)); return nil, nil }},
				"map": {Parse: vendor().Parse, Maps: map[string]providers.MapFunc{"": func(d *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
					panics(string(d.Body))
					return providers.Mapping{}, nil
				}}},
			} {
				p.Name, p.Title, p.MapperVersion = "testvendor", "Test Vendor", "testvendor/1"
				i := normalize.NewInterpreter([]providers.Provider{p}, normalizetest.Validator(t), normalize.InterpreterOptions{})
				r := interpret(t, i, raw(t, said{Subject: "s", Text: c.Text}))
				d, ok := r.Outcome.(*normalize.DeadLetter)
				if !ok || d.Letter.GetReason() != kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER || len(d.Stack) == 0 {
					t.Errorf("%s that panics with %s: %+v, want the dead letter of a crash", where, what, r.Outcome)
					continue
				}
				shown := proto.CloneOf(d.Letter)
				shown.Envelope = nil // that is the delivery
				if text := fmt.Sprint(shown, string(d.Stack)); c.In([]byte(text)) {
					t.Errorf("%s that panics with %s shows the %s: %s", where, what, c.Kind, text)
				}
			}
		}
	}
}
