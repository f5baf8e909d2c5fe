package command

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func TestShortLine(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	session := &kycv1.SessionEvent{
		Metadata:   &kycv1.EventMetadata{EventId: "9d1e0cf8-0000-5000-8000-000000000001", VendorEventType: "workflow.session.completed"},
		Transition: kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, Decision: kycv1.Decision_DECISION_APPROVED,
		VendorStatus: "complete", VendorOutcome: "clear",
	}
	asked := operate.Servers{Vendors: []providers.Provider{{
		Name: "shop", Maps: map[string]providers.MapFunc{"Finished Step": nil}, Words: []string{"manual review"},
	}}}
	const clock = "15:04:05"
	var all strings.Builder
	for _, r := range []operate.Record{
		{Record: record.Record{Topic: "kyc.session.v1", Partition: 3, Offset: 7, Time: at, Key: []byte("shop/abc")}, Message: session},
		{Record: record.Record{Topic: "kyc.check.v1", Time: at, Key: []byte("shop/abc")}, Message: &kycv1.CheckEvent{
			Metadata: &kycv1.EventMetadata{VendorEventType: "Finished Step", Provider: "shop"}, Result: kycv1.CheckResult_CHECK_RESULT_PENDING,
			VendorKind: "somebody's name", VendorResult: "Finished Step",
		}},
		{Record: record.Record{Topic: "kyc.session.v1", Time: at, Key: []byte("shop/abc")}, Message: &kycv1.SessionEvent{Metadata: &kycv1.EventMetadata{}, VendorStatus: "PENDING"}},
		{Record: record.Record{Topic: "kyc.session.v1", Time: at, Key: []byte("shop/abc")}, Message: &kycv1.SessionEvent{
			Metadata: &kycv1.EventMetadata{Provider: "shop"}, VendorStatus: "Manual Review", VendorOutcome: "Manuela Reviewer",
		}},
		{Record: record.Record{Topic: "kyc.deadletter.v1", Time: at, Key: []byte("shop/abc")}, Message: &kycv1.DeadLetter{
			Reason: kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED, Field: "type", Stage: "map", Detail: "no mapping",
		}},
		{Record: record.Record{Topic: "kyc.disposition.v1", Time: at, Key: []byte("shop/abc")}, Message: &kycv1.Disposition{
			Kind: kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE, VendorEventType: "check.completed", DuplicateOf: &kycv1.RawPosition{Partition: 2, Offset: 17},
		}},
		{Record: record.Record{Topic: "kyc.raw.v1", Time: at, Key: []byte("shop/")}, Message: &kycv1.RawEnvelope{Provider: "complycube"}},
	} {
		all.WriteString(strings.Replace(shortLine(asked, r), r.Time.Local().Format(clock), r.Time.UTC().Format(clock), 1))
	}
	golden(t, "testdata/watch.txt", all.String())
}

// TestWorthALine: of the dispositions only those of copies are printed, since every other delivery has an event
// or a dead letter to be seen by.
func TestWorthALine(t *testing.T) {
	for kind := range kycv1.DispositionKind_name {
		d := &kycv1.Disposition{Kind: kycv1.DispositionKind(kind)}
		if got, want := worthALine(operate.Record{Message: d}), d.Kind == kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE; got != want {
			t.Errorf("%s: printed is %v", d.Kind, got)
		}
	}
	for _, r := range []operate.Record{{Message: &kycv1.SessionEvent{}}, {Message: &kycv1.DeadLetter{}}, {Err: errors.New("unreadable")}} {
		if !worthALine(r) {
			t.Errorf("%T is not printed", r.Message)
		}
	}
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
			if line := shortLine(operate.Servers{}, r); strings.Count(line, "\n") != 1 || strings.ContainsRune(line, '\x1b') {
				t.Errorf("not one line, or one with an escape: %q", line)
			}
		}
	})
}

// TestLinesFitTheTerminal: on a terminal a line is as wide as that at most and coloured by what it says, and nothing
// from outside reaches the terminal unescaped; elsewhere it is whole and plain.
func TestLinesFitTheTerminal(t *testing.T) {
	columns := 20
	for _, tc := range []struct {
		terminal           bool
		line, colour, want string
	}{
		{true, "short\n", "", "short\n"},
		{true, "short\n", green, green + "short" + plain + "\n"},
		{true, strings.Repeat("x", 20) + "\n", "", strings.Repeat("x", 20) + "\n"},
		{true, strings.Repeat("é", 21) + "\n", red, red + strings.Repeat("é", 19) + "…" + plain + "\n"},
		{true, "a\x1b[31mb\n", "", `a\u001b[31mb` + "\n"},
		{false, strings.Repeat("x", 30) + "\n", red, strings.Repeat("x", 30) + "\n"},
	} {
		var out strings.Builder
		env := environment{stdout: &out}
		if tc.terminal {
			env.width = func() int { return columns }
		}
		env, end := env.escape()
		if err := env.printShort(tc.line, tc.colour); err != nil {
			t.Error(err)
		}
		end()
		if out.String() != tc.want {
			t.Errorf("%q is printed as %q, want %q", tc.line, out.String(), tc.want)
		}
	}
	approved := operate.Record{Message: &kycv1.SessionEvent{Decision: kycv1.Decision_DECISION_APPROVED}}
	unknown := operate.Record{Message: &kycv1.SessionEvent{Decision: 99}}
	if colourOf(approved) != green || colourOf(unknown) != "" || colourOf(operate.Record{Message: &kycv1.DeadLetter{}}) != red {
		t.Error("what stands out is not what should")
	}
}
