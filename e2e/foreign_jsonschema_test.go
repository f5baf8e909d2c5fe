package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/e2e/foreign"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// judged is a value to be held against a schema by another language's validator.
type judged struct {
	Schema string          `json:"schema"`
	Name   string          `json:"name"`
	Value  json.RawMessage `json:"value"`
}

// asTopicsHaveIt is a message in the JSON that JSON topics carry: every field but for messages and optional
// scalars that are not set.
func asTopicsHaveIt(t testing.TB, name string, m proto.Message) judged {
	t.Helper()
	text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return judged{"urn:kycbridge:" + string(m.ProtoReflect().Descriptor().FullName()), name, text}
}

// heldAgainst asks Python's jsonschema what is wrong with each value, by the schemas that the program exports.
func heldAgainst(t *testing.T, values []judged) map[string][]string {
	t.Helper()
	python := foreign.Python(t, "foreign/jsonschema/requirements.txt")
	dir := t.TempDir()
	if _, errs, code := commandOf(t, binary, nil, "schema", "export", "--json-schema", dir); code != 0 {
		t.Fatal(errs)
	}
	var in, out, errs bytes.Buffer
	encoder := json.NewEncoder(&in)
	for _, value := range values {
		if err := encoder.Encode(value); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), python, "foreign/jsonschema/check.py", dir)
	c.Stdin, c.Stdout, c.Stderr = &in, &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("check.py: %v\n%s", err, errs.String())
	}
	found := map[string][]string{}
	for decoder := json.NewDecoder(&out); decoder.More(); {
		var verdict struct {
			Name  string   `json:"name"`
			Wrong []string `json:"wrong"`
		}
		if err := decoder.Decode(&verdict); err != nil {
			t.Fatal(err)
		}
		found[verdict.Name] = verdict.Wrong
	}
	return found
}

// mapped is what a delivery becomes, as the normaliser makes it; nothing for a dead letter.
func mapped(p *providers.Provider, d *providers.Delivery) []schemas.DomainEvent {
	notice, err := p.Parse(d)
	if err != nil {
		return nil
	}
	m, err := p.Map(d, notice)
	if err != nil {
		return nil
	}
	key := providers.RawKey(d.Endpoint, p.Key(d), d.Body)
	p.Complete(d, notice, key, &kycv1.RawPosition{Topic: schemas.DefaultPrefix + schemas.Raw, Partition: 3, Offset: 1 << 53}, m)
	return m.Events
}

func deliveryOf(p *providers.Provider, f providers.Fixture) *providers.Delivery {
	now := time.Date(2026, 6, 1, 0, 0, 0, 123_000_000, time.UTC)
	r := auth.Request{Header: http.Header{}, Body: f.Body, Now: now}
	if p.EventHeader() != "" { // the event is a token, which the mapping reads and does not verify
		p.Ways()[0].Sign(auth.Secret{}, &r)
	}
	return &providers.Delivery{
		Endpoint: p.Name, Tenant: "default", Environment: providers.FixtureEnvironment,
		ContentType: "application/json", Headers: f.Headers, Body: r.Body, Fetched: f.Fetched, ReceivedAt: now,
	}
}

// everyEvent is what all fixtures and stories of all vendors become.
func everyEvent(t *testing.T) (all []judged) {
	t.Helper()
	add := func(p *providers.Provider, f providers.Fixture, want int) {
		events := mapped(p, deliveryOf(p, f))
		if len(events) != want {
			t.Fatalf("%s: %s becomes %d events, and its golden has %d", p.Name, f.Name, len(events), want)
		}
		for i, event := range events {
			all = append(all, asTopicsHaveIt(t, p.Name+" "+f.Name+" "+string(rune('a'+i)), event))
		}
	}
	for _, p := range catalog.All() {
		fixtures, err := p.Fixtures()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fixtures {
			var golden struct{ Events []json.RawMessage }
			if err := json.Unmarshal(f.Want, &golden); err != nil {
				t.Fatal(err)
			}
			add(&p, f, len(golden.Events))
		}
		stories, err := p.ReadStories()
		if err != nil {
			t.Fatal(err)
		}
		for _, story := range stories {
			for _, told := range story.Deliveries {
				add(&p, told.Fixture, len(mapped(&p, deliveryOf(&p, told.Fixture))))
			}
		}
	}
	return all
}

// Every event of every golden, in the JSON of the topics, is valid by the schema that its ce_dataschema names.
func TestForeignJSONSchemaHoldsForEveryEvent(t *testing.T) {
	foreign.Need(t)
	all := everyEvent(t)
	kinds := map[string]int{}
	for _, one := range all {
		kinds[one.Schema]++
	}
	for _, topic := range schemas.Topics() {
		name := "urn:kycbridge:" + string(topic.Message.ProtoReflect().Descriptor().FullName())
		if topic.Domain && kinds[name] < 10 {
			t.Errorf("%d events of %s are held against their schema; expected more", kinds[name], name)
		}
	}
	all = append(all, otherRecords(t)...)
	verdicts := heldAgainst(t, all)
	if len(verdicts) != len(all) {
		t.Errorf("%d values were judged of %d; are two named alike?", len(verdicts), len(all))
	}
	for name, wrong := range verdicts {
		if len(wrong) > 0 {
			t.Errorf("%s: %q", name, wrong)
		}
	}
	t.Logf("%d values are valid: %v", len(all), kinds)
}

// otherRecords are messages of the topics that are not for consumers.
func otherRecords(t *testing.T) []judged {
	const id = "018f3c5e-7b2a-7c3d-9e4f-0a1b2c3d4e5f"
	now := timestamppb.New(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
	raw := &kycv1.RawPosition{Topic: "kyc.raw.v1"}
	envelope := &kycv1.RawEnvelope{
		Provider: "acme", Endpoint: "acme-live", Tenant: "default", Environment: kycv1.Environment_ENVIRONMENT_LIVE, ReceivedAt: now,
		Method: "POST", Headers: []*kycv1.HttpHeader{{Name: "Acme-Event"}}, Body: []byte("\xff{}"), DeliveryId: id,
	}
	return []judged{
		asTopicsHaveIt(t, "raw", envelope),
		asTopicsHaveIt(t, "hydrate", &kycv1.HydrateTask{Envelope: envelope, Raw: raw, Attempt: 1, NotBefore: now}),
		asTopicsHaveIt(t, "disposition", &kycv1.Disposition{
			Raw: raw, RawTopicId: make([]byte, 16), Tenant: "default", Provider: "acme", Endpoint: "acme-live", Stage: kycv1.Stage_STAGE_NORMALIZE,
			Kind: kycv1.DispositionKind_DISPOSITION_KIND_EMITTED, DedupeKey: make([]byte, 16), ContentHash: make([]byte, 32), EventIds: []string{id}, DecidedAt: now,
		}),
		asTopicsHaveIt(t, "dead letter", &kycv1.DeadLetter{
			Raw: raw, Reason: kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED, Stage: "map", Envelope: &kycv1.RawEnvelope{Body: []byte("x")},
		}),
	}
}

// change changes one member of a JSON object, by a path with dots; nil takes it away.
func change(value map[string]any, path string, to any) {
	parts := strings.Split(path, ".")
	for _, part := range parts[:len(parts)-1] {
		value = value[part].(map[string]any)
	}
	if last := parts[len(parts)-1]; to == nil {
		delete(value, last)
	} else {
		value[last] = to
	}
}

// The schemas refuse what breaks a rule of the contract, at its place, and nothing that a newer contract may say.
func TestForeignJSONSchemaRefuses(t *testing.T) {
	foreign.Need(t)
	many := map[string]any{}
	for i := range 33 {
		many[strings.Repeat("k", i+1)] = "v"
	}
	cases := []struct {
		path  string
		to    any
		wrong string // empty: valid
	}{
		{"metadata", nil, "$ required"},
		{"metadata.eventId", nil, "$.metadata required"},
		{"metadata.eventId", "1234", "$.metadata.eventId pattern"},
		{"metadata.environment", nil, "$.metadata required"},
		{"metadata.environment", "ENVIRONMENT_UNSPECIFIED", "$.metadata.environment not"},
		{"metadata.receivedAt", nil, "$.metadata required"},
		{"metadata.receivedAt", "yesterday", "$.metadata.receivedAt pattern"},
		{"metadata.raw", nil, "$.metadata required"},
		{"metadata.raw.offset", 17, "$.metadata.raw.offset type"},
		{"metadata.raw.offset", "-1", "$.metadata.raw.offset pattern"},
		{"metadata.raw.offset", "9223372036854775807", ""},
		{"metadata.raw.partition", -1, "$.metadata.raw.partition minimum"},
		{"metadata.raw.partition", 1 << 31, "$.metadata.raw.partition maximum"},
		{"metadata.raw.topic", "", "$.metadata.raw.topic minLength"},
		{"metadata.hydrated", "yes", "$.metadata.hydrated type"},
		{"metadata.mapperVersion", strings.Repeat("x", 65), "$.metadata.mapperVersion maxLength"},
		{"metadata.flags", []string{"Stale=true"}, "$.metadata.flags[0] pattern"},
		{"metadata.flags", slices.Repeat([]string{"stale=true"}, 17), "$.metadata.flags maxItems"},
		{"metadata.vendorAttributes", many, "$.metadata.vendorAttributes maxProperties"},
		{"metadata.vendorAttributes", map[string]any{"": "v"}, "$.metadata.vendorAttributes minLength"},
		{"metadata.vendorAttributes", map[string]any{"k": "a\nb"}, "$.metadata.vendorAttributes.k pattern"},
		{"metadata.subject", nil, ""},
		{"metadata.subject", "s-1", "$.metadata.subject type"},
		{"metadata.later", map[string]any{"field": 1}, ""},
		{"later", "field", ""},
		{"decision", "DECISION_OF_A_NEWER_VERSION", ""},
		{"decision", 99, ""},
		{"decision", true, "$.decision anyOf"},
		{"decision", nil, ""},
		{"reasonCodes", []string{"two words"}, "$.reasonCodes[0] pattern"},
		{"reasonCodes", "CODE", "$.reasonCodes type"},
		{"requiredSteps", []any{map[string]any{"deadline": 1}}, "$.requiredSteps[0].deadline type"},
		{"vendorStatus", strings.Repeat("ü", 128), ""},
		{"vendorStatus", strings.Repeat("ü", 129), "$.vendorStatus maxLength"},
	}
	var values []judged
	want := map[string]string{}
	for _, c := range cases {
		value := map[string]any{}
		sample := asTopicsHaveIt(t, "", sampleSession())
		if err := json.Unmarshal(sample.Value, &value); err != nil {
			t.Fatal(err)
		}
		change(value, c.path, c.to)
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		to, _ := json.Marshal(c.to)
		name := c.path + "=" + string(to)
		values, want[name] = append(values, judged{sample.Schema, name, text}), c.wrong
	}
	verdicts := heldAgainst(t, values)
	for name, wrong := range want {
		if got := strings.Join(verdicts[name], ", "); wrong == "" && got != "" || !strings.Contains(got, wrong) {
			t.Errorf("%s: found %q, want %q", name, got, wrong)
		}
	}
}

// sampleSession is valid.
func sampleSession() *kycv1.SessionEvent {
	return &kycv1.SessionEvent{
		Metadata: &kycv1.EventMetadata{
			EventId: "018f3c5e-7b2a-7c3d-9e4f-0a1b2c3d4e5f", Provider: "acme", Endpoint: "acme-live", Tenant: "default",
			Environment: kycv1.Environment_ENVIRONMENT_LIVE, ReceivedAt: timestamppb.New(time.Unix(1_780_000_000, 0)),
			Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1"}, MapperVersion: "acme/1", Subject: &kycv1.Subject{SessionId: "s-1"},
		},
		Transition: kycv1.SessionTransition_SESSION_TRANSITION_STARTED,
	}
}
