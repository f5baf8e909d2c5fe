package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

var letterTime = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

// letters are four dead letters, an hour apart.
func letters(t *testing.T) Source {
	t.Helper()
	all := []*kycv1.DeadLetter{
		{Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 3, Offset: 17}, Reason: kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED, Field: "type", Stage: "map",
			Detail: "no mapping for this event type; if it is new at Toy, add it to Maps, and then some more words that a table has no room for", Attempts: 1, Envelope: envelope("toy", "toy-eu", 1)},
		{Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 3, Offset: 18}, Reason: kycv1.DeadLetterReason_DEAD_LETTER_REASON_INVALID, Field: "metadata.subject", Stage: "validate",
			Detail: "SessionEvent breaks the rule required", Attempts: 1, Envelope: envelope("toy", "toy-us", 2)},
		{Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Offset: 4}, Reason: kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER, Stage: "map",
			Detail: "the process died each time this record was processed alone", Attempts: 1, Envelope: envelope("game", "game", 3)},
		{Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Offset: 5}, Reason: kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED, Stage: "decode",
			Detail: "the raw record is no envelope\x1b[2J", Attempts: 1, Envelope: &kycv1.RawEnvelope{Body: []byte("CANARY")}},
	}
	return Source{Name: "kyc.deadletter.v1", Partitions: 1, Scan: func(_ context.Context, _ int32, fn func(record.Record) error) error {
		for n, m := range all {
			value, err := contract.Marshal(m)
			if err != nil {
				return err
			}
			if err := fn(record.Record{Topic: "kyc.deadletter.v1", Offset: int64(n), Time: letterTime.Add(time.Duration(n) * time.Hour), Value: value}); err != nil {
				return err
			}
		}
		return nil
	}}
}

func envelope(vendor, endpoint string, n int) *kycv1.RawEnvelope {
	return &kycv1.RawEnvelope{
		Provider: vendor, Endpoint: endpoint, Tenant: "default", ReceivedAt: timestamppb.New(letterTime.Add(-time.Second)), ContentType: "application/json",
		Headers: []*kycv1.HttpHeader{{Name: "Toy-Event", Value: "done"}}, Body: []byte(`{"name":"CANARY"}`),
		DeliveryId: "019b8a5e-5c00-7000-8000-00000000000" + string(rune('0'+n)),
	}
}

func TestLettersChosen(t *testing.T) {
	named := func(_ record.Record, m *kycv1.DeadLetter) []string {
		if m.GetReason() == kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER {
			t.Error("a letter that kills processes is interpreted")
		}
		return []string{"vendor-" + m.GetEnvelope().GetEndpoint()}
	}
	for _, c := range []struct {
		q       LetterQuery
		want    string // offsets in the dead-letter topic
		unknown string
	}{
		{LetterQuery{}, "0123", ""},
		{LetterQuery{IDs: []string{"3@17"}}, "0", ""},
		{LetterQuery{IDs: []string{"kyc.raw.v1/3/18", "0/4"}}, "12", ""},
		{LetterQuery{IDs: []string{"019b8a5e-5c00-7000-8000-000000000003"}}, "2", ""},
		{LetterQuery{IDs: []string{"vendor-toy-us", "3@99"}, Names: named}, "1", "3@99"},
		{LetterQuery{IDs: []string{"3@17"}, Vendors: []string{"game"}}, "", "3@17"},
		{LetterQuery{Reasons: []string{"unmapped", "malformed"}}, "03", ""},
		{LetterQuery{Vendors: []string{"toy"}, Endpoints: []string{"toy-us"}}, "1", ""},
		{LetterQuery{Since: letterTime.Add(time.Hour), Until: letterTime.Add(3 * time.Hour)}, "12", ""},
	} {
		got := ""
		unknown, err := Letters(t.Context(), letters(t), c.q, func(l Letter) error {
			got += string(rune('0' + l.Record.Offset))
			return nil
		})
		if err != nil || got != c.want || strings.Join(unknown, " ") != c.unknown {
			t.Errorf("%+v: letters %s, unknown %v, %v; want %s and %q", c.q, got, unknown, err, c.want, c.unknown)
		}
	}
}

// TestLetterJSON: one line, without the body.
func TestLetterJSON(t *testing.T) {
	if _, err := Letters(t.Context(), letters(t), LetterQuery{IDs: []string{"3@17"}}, func(l Letter) error {
		text, err := json.Marshal(l)
		if err != nil {
			return err
		}
		want := `{"time":"2026-05-04T10:00:00Z","reason":"unmapped","stage":"map","field":"type","detail":"no mapping for this event type; if it is new at Toy, ` +
			`add it to Maps, and then some more words that a table has no room for","attempts":1,"raw":{"topic":"kyc.raw.v1","partition":3,"offset":17,` +
			`"delivery_id":"019b8a5e-5c00-7000-8000-000000000001"},"vendor":"toy","endpoint":"toy-eu","tenant":"default","received_at":"2026-05-04T09:59:59Z",` +
			`"content_type":"application/json","headers":{"Toy-Event":"done"},"body_bytes":17,"letter":"kyc.deadletter.v1/0/0"}`
		if string(text) != want {
			t.Errorf("the letter is\n%s\nwant\n%s", text, want)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestParsePosition(t *testing.T) {
	for _, text := range []string{"3@17", "3/17", "kyc.raw.v1/3/17", "test.raw.v1/3/17"} {
		if p, o, ok := ParsePosition(text); !ok || p != 3 || o != 17 {
			t.Errorf("%q is read as %d, %d, %v", text, p, o, ok)
		}
	}
	for _, text := range []string{"", "3", "3@", "@17", "x@1", "-3@1", "3@-1", "kyc.check.v1/3/17", "3//17/", "019b8a5e-5c00-7000-8000-000000000003"} {
		if _, _, ok := ParsePosition(text); ok {
			t.Errorf("%q is read as a place", text)
		}
	}
}

func FuzzParsePosition(f *testing.F) {
	f.Add("kyc.raw.v1/3/17")
	f.Add("3@17")
	f.Fuzz(func(t *testing.T, text string) {
		if p, o, ok := ParsePosition(text); ok && (p < 0 || o < 0) {
			t.Errorf("%q is read as %d@%d", text, p, o)
		}
	})
}

func TestReasonNames(t *testing.T) {
	if all := ReasonNames(); !slices.Contains(all, "hydration_failed") || slices.Contains(all, "unspecified") || len(all) != 8 {
		t.Errorf("the reasons are %v", all)
	}
}

// TestHeadline: of a header, only a word or a version is shown. A token is the event, and a sentence may be anything.
func TestHeadline(t *testing.T) {
	token := "eyJhbGciOiJub25lIn0.eyJkYXRhIjp7fX0.c2ln"
	for _, text := range []string{"", "IDENTIFICATION_AUTO_FINISHED", "check.completed", "done", "axios/1.12.10", "Go-http-client/1.1", "application/json", "application/json; charset=utf-8", "text/plain;charset=ISO-8859-15", "application/x-www-form-urlencoded"} {
		if got := Headline(text); got != text {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
	for _, text := range []string{token, "eyJhIjp9.eyJhIjp9.c", "Zoe Kanarienvogt", "someone@example.invalid", "+4915550198", "490155598712340", "1904-02-29", "application/json; x=Zoe Kanarienvogt", "application/json; charset=DE8937040044053", "a\x1b[2J", strings.Repeat("x", 81)} {
		if got, want := Headline(text), fmt.Sprintf("(%d bytes, not shown)", len(text)); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
	letter := Letter{Message: &kycv1.DeadLetter{Envelope: &kycv1.RawEnvelope{ContentType: token, Headers: []*kycv1.HttpHeader{{Name: "X-Token", Value: token}}}}}
	for _, all := range []bool{false, true} {
		letter.Headers = all
		text, err := json.Marshal(letter)
		if err != nil {
			t.Fatal(err)
		}
		if shown := fmt.Sprintf("%s %q", text, letter.ShownHeaders()); strings.Count(shown, token) != map[bool]int{true: 4}[all] {
			t.Errorf("headers %v: %s", all, shown)
		}
	}
}
