package contract_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

func lines(headers []record.Header) string {
	var b strings.Builder
	for _, h := range headers {
		b.WriteString(h.Key + ": " + string(h.Value) + "\n")
	}
	return b.String()
}

func recorded(t *testing.T, e schemas.DomainEvent, key string) record.Outgoing {
	t.Helper()
	return appended(t, contract.NewRecorder(validator(t)), e, key)[0]
}

func TestCloudEventHeaders(t *testing.T) {
	e := session()
	e.Metadata.OccurredAt = timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC))
	const want = `ce_specversion: 1.0
ce_id: b5c1a7d2-3e4f-5a6b-8c7d-9e0f1a2b3c4d
ce_source: /kycbridge/default/complycube-live
ce_type: kyc.v1.SessionEvent
ce_dataschema: urn:kycbridge:kyc.v1.SessionEvent
ce_time: 2026-01-02T03:04:05.006Z
ce_subject: a/b
content-type: application/protobuf
`
	if got := lines(recorded(t, e, "complycube-live/a/b").Headers); got != want {
		t.Errorf("headers:\n%s\nwant:\n%s", got, want)
	}
}

func TestCloudEventHeadersOfAccountNotice(t *testing.T) {
	got := lines(recorded(t, accountNotice(), "complycube-live/").Headers)
	if strings.Contains(got, "ce_subject") {
		t.Errorf("an account-level notice has a subject:\n%s", got)
	}
	if !strings.Contains(got, "ce_time: 2026-01-02T12:00:00Z\n") {
		t.Errorf("ce_time is not the time of arrival, though the vendor gave none:\n%s", got)
	}
}
