package normalize_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// twins are plain protobuf and JSON.
func twins() []contract.Form { return []contract.Form{contract.Domain(nil), contract.Twins()} }

// headersBut are the headers of a record but for one.
func headersBut(o record.Outgoing, name string) string {
	var all []string
	for _, h := range o.Headers {
		if h.Key != name {
			all = append(all, h.Key+"="+string(h.Value))
		}
	}
	return strings.Join(all, " ")
}

// TestEveryEventHasItsTwin: whatever is decided about a delivery and whoever replays it, each of its events is there
// in both forms, and they differ in topic, value and content type alone. The disposition names each once.
func TestEveryEventHasItsTwin(t *testing.T) {
	i := interpreter(t, normalize.InterpreterOptions{StaleAfter: time.Hour, Forms: twins()})
	for name, flag := range map[string]dedupe.Flag{"as prebuilt": "", "flagged": dedupe.Conflict} {
		for _, replay := range []string{"", "again"} {
			r := interpret(t, i, raw(t, said{Subject: "s", ID: "e", Text: "x", Events: 3, AgeDays: 400}))
			r.Replay = replay
			out := normalizetest.Records(t, r, dedupe.Verdict{Action: dedupe.Publish, Flag: flag}, received)
			if len(out) != 7 {
				t.Fatalf("%s, replay %q: %d records, want three events, three twins and a disposition", name, replay, len(out))
			}
			for n := 0; n < 6; n += 2 {
				event, twin := out[n], out[n+1]
				if event.Topic != schemas.Session || twin.Topic != schemas.Session+".json" || string(twin.Key) != string(event.Key) || twin.Partition != event.Partition {
					t.Errorf("%s, replay %q: %s %q %d and %s %q %d", name, replay, event.Topic, event.Key, event.Partition, twin.Topic, twin.Key, twin.Partition)
				}
				if e, w := normalizetest.Message(t, event), normalizetest.Message(t, twin); !proto.Equal(e, w) {
					t.Errorf("%s, replay %q: the event is %v and its twin %v", name, replay, e, w)
				}
				if e, w := headersBut(event, "content-type"), headersBut(twin, "content-type"); e != w || !strings.Contains(w, "traceparent=") || !strings.Contains(w, "stale=true") {
					t.Errorf("%s, replay %q: the headers are %s and of the twin %s", name, replay, e, w)
				}
			}
			d := normalizetest.Message(t, out[6]).(*kycv1.Disposition)
			if len(d.GetEventIds()) != 3 {
				t.Errorf("%s, replay %q: the disposition names %v", name, replay, d.GetEventIds())
			}
		}
	}
}

// TestATwinThatDoesNotFit is a dead letter, as an event is; a delivery whose twins are more bytes than its vendor's
// may become is none, since what it may become is not a matter of how often it is said.
func TestATwinThatDoesNotFit(t *testing.T) {
	r := interpret(t, interpreter(t, normalize.InterpreterOptions{}), raw(t, said{Subject: "s", ID: "e"}))
	event := normalizetest.Records(t, r, dedupe.Verdict{Action: dedupe.Publish}, received)[0]
	const overhead = 4096
	limit := len(event.Value) + len(event.Key) + overhead
	for _, c := range []struct {
		forms  []contract.Form
		detail string // "": it is published
	}{
		{twins()[:1], ""},
		{twins(), "for session.v1.json does not fit into one record"},
	} {
		i := interpreter(t, normalize.InterpreterOptions{MaxRecordBytes: limit, Forms: c.forms})
		letter := interpret(t, i, raw(t, said{Subject: "s", ID: "e"})).Letter()
		if (letter == nil) != (c.detail == "") || !strings.Contains(letter.GetDetail(), c.detail) {
			t.Errorf("%d forms: %v", len(c.forms), letter)
		}
		if letter != nil && letter.GetReason() != kycv1.DeadLetterReason_DEAD_LETTER_REASON_REJECTED_CONTENT {
			t.Errorf("%d forms: %v", len(c.forms), letter.GetReason())
		}
	}
	p := vendor()
	for output, published := range map[int]bool{recordSize(event): true, recordSize(event) - 1: false} {
		p.Limits = providers.Limits{Output: output}
		i := normalize.NewInterpreter([]providers.Provider{p}, normalizetest.Validator(t), normalize.InterpreterOptions{Forms: twins()})
		if letter := interpret(t, i, raw(t, said{Subject: "s", ID: "e"})).Letter(); (letter == nil) != published {
			t.Errorf("where %d bytes are allowed: %v", output, letter)
		}
	}
}

// recordSize is what a record takes.
func recordSize(o record.Outgoing) int {
	n := len(o.Key) + len(o.Value)
	for _, h := range o.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}
