package main

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sampleRecords show every shape a line can have.
func sampleRecords(t *testing.T) []*kgo.Record {
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
	return []*kgo.Record{
		{
			Topic: "kyc.session.v1", Partition: 3, Offset: 7, Timestamp: at, Key: []byte("shop/abc"), Value: encode(session),
			Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte("9d1e")}, {Key: "ce_type", Value: []byte("kyc.v1.SessionEvent")}},
		},
		{Topic: "kyc.raw.v1", Timestamp: at, Key: []byte("shop/"), Value: encode(&kycv1.RawEnvelope{Provider: "complycube", Body: []byte("{\"a\":1}")})},
		{Topic: "kyc.check.v1", Offset: 1 << 40, Timestamp: at.In(time.FixedZone("east", 7200)), Key: []byte("k\xff\x00\n\"<é"), Value: nil},
		{Topic: "kyc.check.v1", Timestamp: at, Value: []byte("\xff\xff\xff")},
		{Topic: "other.topic", Timestamp: at, Value: []byte("x")},
	}
}

func TestJSONLine(t *testing.T) {
	var all strings.Builder
	for _, r := range sampleRecords(t) {
		text := string(jsonLine(r, schemas.DefaultPrefix))
		if strings.Count(text, "\n") != 1 || !json.Valid([]byte(text)) {
			t.Errorf("not one line of JSON: %q", text)
		}
		for range 20 {
			if again := string(jsonLine(r, schemas.DefaultPrefix)); again != text {
				t.Fatalf("two renderings differ:\n%s%s", text, again)
			}
		}
		all.WriteString(text)
	}
	golden(t, "testdata/tail.jsonl", all.String())
}

func TestShortLine(t *testing.T) {
	const clock = "15:04:05"
	var all strings.Builder
	for _, r := range sampleRecords(t)[:2] {
		line := string(shortLine(r, schemas.DefaultPrefix))
		all.WriteString(strings.Replace(line, r.Timestamp.Local().Format(clock), r.Timestamp.UTC().Format(clock), 1))
	}
	golden(t, "testdata/watch.txt", all.String())
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and review the change\ngot:\n%s", path, got)
	}
}

func TestTopicBases(t *testing.T) {
	for _, tc := range []struct {
		names []string
		want  string
	}{
		{nil, "session.v1 check.v1 aml.v1 renewal.v1 resource.v1"},
		{[]string{"raw"}, "raw.v1"},
		{[]string{"raw.v1", "x.check.v1"}, "raw.v1 check.v1"},
		{[]string{"hydrate", "hydrate.wait"}, "hydrate.v1 hydrate.wait.v1"},
	} {
		got, err := topicBases(tc.names, "x.")
		if err != nil || strings.Join(got, " ") != tc.want {
			t.Errorf("topicBases(%q) is %q and %v, want %q", tc.names, got, err, tc.want)
		}
	}
	if _, err := topicBases([]string{"kyc.check.v1"}, "x."); err == nil {
		t.Error("a full name under another prefix is accepted")
	}
}
