package operate

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/canary"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sampleRecords show every shape a line can have.
func sampleRecords(t *testing.T) []record.Record {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	encode := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	session := &kycv1.SessionEvent{
		Metadata: &kycv1.EventMetadata{
			EventId: "9d1e0cf8-0000-5000-8000-000000000001", Provider: "complycube", Endpoint: "shop", Tenant: "default",
			Environment: kycv1.Environment_ENVIRONMENT_SANDBOX, VendorEventType: "workflow.session.completed",
			ReceivedAt: timestamppb.New(at), Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 3, Offset: 41},
			VendorAttributes: map[string]string{"b": "<2>", "a": "1", "c": "&3"},
		},
		Transition: kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, Decision: kycv1.Decision_DECISION_APPROVED,
		VendorStatus: "complete", VendorOutcome: "clear",
	}
	return []record.Record{
		{
			Topic: "kyc.session.v1", Partition: 3, Offset: 7, Time: at, Key: []byte("shop/abc"), Value: encode(session),
			Headers: []record.Header{{Key: "ce_id", Value: []byte("9d1e")}, {Key: "ce_type", Value: []byte("kyc.v1.SessionEvent")}},
		},
		{Topic: "kyc.raw.v1", Time: at, Key: []byte("shop/"), Value: encode(&kycv1.RawEnvelope{Provider: "complycube", Body: []byte("{\"a\":1}")})},
		{Topic: "kyc.check.v1", Offset: 1 << 40, Time: at.In(time.FixedZone("east", 7200)), Key: []byte("k\xff\x00\n\"<é"), Value: nil},
		{Topic: "kyc.check.v1", Time: at, Value: []byte("\xff\xff\xff")},
		{Topic: "other.topic", Time: at, Value: []byte("x")},
		{Topic: "kyc.session.v1.json", Time: at, Value: []byte(`{"vendorStatus":"<a>","decision":"DECISION_OF_TOMORROW", "new":{"n":1}}`)},
		{Topic: "kyc.session.v1.json", Time: at, Value: []byte(`{"vendorStatus":`)},
	}
}

func TestRecordJSON(t *testing.T) {
	var all strings.Builder
	for _, r := range sampleRecords(t) {
		text := jsonLine(t, r, schemas.DefaultPrefix)
		if strings.Count(text, "\n") != 1 || !json.Valid([]byte(text)) {
			t.Errorf("not one line of JSON: %q", text)
		}
		for range 20 {
			if again := jsonLine(t, r, schemas.DefaultPrefix); again != text {
				t.Fatalf("two renderings differ:\n%s%s", text, again)
			}
		}
		all.WriteString(text)
	}
	const path = "testdata/tail.jsonl"
	if *update {
		if err := os.WriteFile(path, []byte(all.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if all.String() != string(want) {
		t.Errorf("%s differs; run with -update and review the change\ngot:\n%s", path, all.String())
	}
}

// jsonLine is a record as `tail` prints it.
func jsonLine(t *testing.T, r record.Record, prefix string) string {
	t.Helper()
	servers := Servers{Kafka: sink.Options{TopicPrefix: prefix}}
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(servers.decode(r)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestWordsTellNobody: what a vendor says at the place of a word is shown where it is one.
func TestWordsTellNobody(t *testing.T) {
	asked := Servers{Vendors: []providers.Provider{{Name: "shop", Words: []string{"Manual Review"}}}}
	for _, c := range canary.All() {
		e := &kycv1.CheckEvent{Metadata: &kycv1.EventMetadata{Provider: "shop"}, Result: kycv1.CheckResult_CHECK_RESULT_PASSED, VendorResult: c.Text, VendorKind: "document_check"}
		got := strings.Join(asked.Words(e), " ")
		if !strings.Contains(got, "result=PASSED") || !strings.Contains(got, `vendor_kind="document_check"`) {
			t.Errorf("%s: %s, want what is a word", c.Kind, got)
		}
		if c.In([]byte(got)) != c.Coded {
			t.Errorf("%s: %s", c.Kind, got)
		}
	}
}

// TestWordsWithBlanks: what the vendor documents is shown, whatever it looks like; of another vendor, and of one that
// nobody knows here, it may be a name.
func TestWordsWithBlanks(t *testing.T) {
	asked := Servers{Vendors: []providers.Provider{
		{Name: "shop", Maps: map[string]providers.MapFunc{"Finished Step": nil}, Words: []string{"manual review"}}, {Name: "other"},
	}}
	for _, c := range []struct {
		vendor, word string
		shown        bool
	}{
		{"shop", "Manual Review", true}, {"shop", "Finished Step", true}, {"shop", "Manuela Review", false},
		{"other", "Manual Review", false}, {"gone", "Manual Review", false}, {"gone", "review", true},
	} {
		e := &kycv1.SessionEvent{Metadata: &kycv1.EventMetadata{Provider: c.vendor}, VendorStatus: c.word}
		if got := strings.Join(asked.Words(e), " "); strings.Contains(got, `"`+c.word+`"`) != c.shown {
			t.Errorf("%s says %q: %s, shown should be %v", c.vendor, c.word, got, c.shown)
		}
	}
}
