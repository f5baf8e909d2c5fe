package command

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// buriedLetters are four dead letters, an hour apart.
func buriedLetters() (all []audit.Letter) {
	at := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	envelope := func(vendor, endpoint string, n int) *kycv1.RawEnvelope {
		return &kycv1.RawEnvelope{
			Provider: vendor, Endpoint: endpoint, Tenant: "default", ReceivedAt: timestamppb.New(at.Add(-time.Second)), ContentType: "application/json",
			Headers: []*kycv1.HttpHeader{{Name: "Toy-Event", Value: "done"}}, Body: []byte(`{"name":"CANARY"}`),
			DeliveryId: "019b8a5e-5c00-7000-8000-00000000000" + string(rune('0'+n)),
		}
	}
	for n, m := range []*kycv1.DeadLetter{
		{Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 3, Offset: 17}, Reason: kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED, Field: "type", Stage: "map",
			Detail: "no mapping for this event type; if it is new at Toy, add it to Maps, and then some more words that a table has no room for", Attempts: 1, Envelope: envelope("toy", "toy-eu", 1)},
		{Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 3, Offset: 18}, Reason: kycv1.DeadLetterReason_DEAD_LETTER_REASON_INVALID, Field: "metadata.subject", Stage: "validate",
			Detail: "SessionEvent breaks the rule required", Attempts: 1, Envelope: envelope("toy", "toy-us", 2)},
		{Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Offset: 4}, Reason: kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER, Stage: "map",
			Detail: "the process died each time this record was processed alone", Attempts: 1, Envelope: envelope("game", "game", 3)},
		{Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Offset: 5}, Reason: kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED, Stage: "decode",
			Detail: "the raw record is no envelope\x1b[2J", Attempts: 1, Envelope: &kycv1.RawEnvelope{Body: []byte("CANARY")}},
	} {
		all = append(all, audit.Letter{Message: m, Record: record.Record{Topic: "kyc.deadletter.v1", Offset: int64(n), Time: at.Add(time.Duration(n) * time.Hour)}})
	}
	return all
}

// TestWriteLetters: the table, the whole letter and JSON; no body in any of them.
func TestWriteLetters(t *testing.T) {
	all := buriedLetters()
	var out strings.Builder
	err := writeLetters(&out, all)
	for _, l := range []audit.Letter{all[0], all[3]} {
		out.WriteString("\n")
		err = errors.Join(err, writeLetter(&out, l), writeLine(&out, l))
	}
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "CANARY") || strings.Contains(out.String(), "\x1b") {
		t.Errorf("a body, or a control character, is shown:\n%s", out.String())
	}
	golden(t, "testdata/deadletters.txt", out.String())
}
