package command

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func TestShortLine(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	session := &kycv1.SessionEvent{
		Metadata:   &kycv1.EventMetadata{EventId: "9d1e0cf8-0000-5000-8000-000000000001", VendorEventType: "workflow.session.completed"},
		Transition: kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, Decision: kycv1.Decision_DECISION_APPROVED,
		VendorStatus: "complete", VendorOutcome: "clear",
	}
	const clock = "15:04:05"
	var all strings.Builder
	for _, r := range []operate.Record{
		{Record: record.Record{Topic: "kyc.session.v1", Partition: 3, Offset: 7, Time: at, Key: []byte("shop/abc")}, Message: session},
		{Record: record.Record{Topic: "kyc.raw.v1", Time: at, Key: []byte("shop/")}, Message: &kycv1.RawEnvelope{Provider: "complycube"}},
	} {
		all.WriteString(strings.Replace(shortLine(r), r.Time.Local().Format(clock), r.Time.UTC().Format(clock), 1))
	}
	golden(t, "testdata/watch.txt", all.String())
}

// FuzzShortLine: whatever is in a record, its line is one line that moves no cursor.
func FuzzShortLine(f *testing.F) {
	f.Add([]byte("shop/abc"), "check.completed", "clear")
	f.Add([]byte("\xff\n"), "\x1b[2J", "\n")
	f.Fuzz(func(t *testing.T, key []byte, kind, word string) {
		m := &kycv1.CheckEvent{VendorResult: word, Metadata: &kycv1.EventMetadata{VendorEventType: kind}}
		for _, r := range []operate.Record{
			{Record: record.Record{Topic: "kyc.check.v1", Key: key}, Message: m},
			{Record: record.Record{Topic: "kyc.check.v1", Key: key}, Err: errors.New("the bytes cannot be decoded")},
		} {
			if line := shortLine(r); strings.Count(line, "\n") != 1 || strings.ContainsRune(line, '\x1b') {
				t.Errorf("not one line, or one with an escape: %q", line)
			}
		}
	})
}
