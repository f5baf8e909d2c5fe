package normalize_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func interpreter(t *testing.T, o normalize.InterpreterOptions) *normalize.Interpreter {
	t.Helper()
	return normalize.NewInterpreter([]providers.Provider{vendor()}, normalizetest.Validator(t), o)
}

func raw(t *testing.T, s said) normalize.RawRecord {
	t.Helper()
	return normalize.RawRecord{Topic: "kyc.raw.v1", TopicID: [16]byte{1}, Partition: 3, Offset: 7, Key: s.key(), Value: rawValue(t, s)}
}

func TestDeadLetterNamesStageReasonAndFieldAndQuotesNothing(t *testing.T) {
	i := interpreter(t, normalize.InterpreterOptions{})
	for _, c := range []struct {
		do, stage, reason, field string
	}{
		{"mismatch", "identify", "MISMATCH", "do"},
		{"new", "map", "UNMAPPED", "type"},
		{"broken", "map", "CRASHER", ""},
		{"panic", "map", "CRASHER", ""},
		{"index", "map", "CRASHER", ""},
		{"invalid", "validate", "INVALID", "metadata.vendor_sequence"},
		{"none", "validate", "INVALID", ""},
		{"utf8", "validate", "INVALID", ""},
	} {
		s := said{Subject: "s", ID: "e", Text: "secret", Do: c.do}
		r := i.Interpret(raw(t, s))
		if r.Err != nil || r.Dead == nil || r.Events != nil {
			t.Errorf("%s: %+v, expected a dead letter alone", c.do, r)
			continue
		}
		d := r.Dead
		if got := strings.TrimPrefix(d.GetReason().String(), "DEAD_LETTER_REASON_"); d.GetStage() != c.stage || got != c.reason || d.GetField() != c.field {
			t.Errorf("%s: stage %s, reason %s, field %q, expected %s, %s, %q", c.do, d.GetStage(), got, d.GetField(), c.stage, c.reason, c.field)
		}
		if strings.Contains(d.GetDetail(), "secret") || d.GetDetail() == "" {
			t.Errorf("%s: detail %q quotes the body or says nothing", c.do, d.GetDetail())
		}
		if !bytes.Equal(d.GetEnvelope().GetBody(), s.body()) {
			t.Errorf("%s: the dead letter has lost the body", c.do)
		}
		if len(r.Identity) == 0 {
			t.Errorf("%s: the identity is known, so a copy must not give a second dead letter", c.do)
		}
	}
}

func TestUnreadableRecordsAreMalformed(t *testing.T) {
	i := interpreter(t, normalize.InterpreterOptions{})
	incomplete, _ := proto.Marshal(&kycv1.RawEnvelope{Provider: "testvendor"})
	unknown := said{Subject: "s"}.envelope()
	unknown.Provider = "nobody"
	stranger, _ := proto.Marshal(unknown)
	for name, c := range map[string]struct {
		value  []byte
		reason kycv1.DeadLetterReason
		stage  string
	}{
		"no protobuf":    {[]byte("\xff\xff"), kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED, "decode"},
		"empty":          {nil, kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED, "decode"},
		"incomplete":     {incomplete, kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED, "decode"},
		"unknown vendor": {stranger, kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED, "identify"},
	} {
		r := i.Interpret(normalize.RawRecord{Topic: "kyc.raw.v1", Key: []byte("k"), Value: c.value})
		if r.Dead.GetReason() != c.reason || r.Dead.GetStage() != c.stage || len(r.Identity) != 0 {
			t.Errorf("%s: %v at %s, expected %v at %s", name, r.Dead.GetReason(), r.Dead.GetStage(), c.reason, c.stage)
		}
		for _, out := range r.Outgoing(dedupe.Verdict{Action: dedupe.Publish}, received) {
			if err := normalizetest.Validator(t).Validate(out.Message); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestSameRecordGivesTheSameBytes(t *testing.T) {
	s := said{Subject: "s", ID: "e", Text: "x", Events: 3, AgeDays: 400}
	var first []byte
	for range 3 {
		r := interpreter(t, normalize.InterpreterOptions{StaleAfter: time.Hour}).Interpret(raw(t, s))
		var all []byte
		for _, out := range r.Outgoing(dedupe.Verdict{Action: dedupe.Publish, Flag: dedupe.Conflict}, received) {
			value := normalizetest.Must(contract.Marshal(out.Message))(t)
			all = fmt.Appendf(all, "%x %x %d %v\n", value, out.Key, out.Partition, out.Headers)
		}
		if first == nil {
			first = all
		}
		if !bytes.Equal(first, all) {
			t.Errorf("the second reading gives\n%s\nexpected\n%s", all, first)
		}
	}
}

// TestValuesAreThoseOfTheMessages: what is usual is encoded when it is read, and everything else when the
// verdict is there. Both say the same.
func TestValuesAreThoseOfTheMessages(t *testing.T) {
	r := interpreter(t, normalize.InterpreterOptions{}).Interpret(raw(t, said{Subject: "s", ID: "e", Text: "x", Events: 3}))
	usual := dedupe.Verdict{Action: dedupe.Publish, Keyed: true, Key: dedupe.Key{7}}
	for n, tc := range []struct {
		change  func(*dedupe.Verdict)
		events  bool // their values are known
		decided bool // that of the disposition is
	}{
		{func(*dedupe.Verdict) {}, true, true},
		{func(v *dedupe.Verdict) { v.Key = dedupe.Key{8} }, true, true},
		{func(v *dedupe.Verdict) { v.Keyed = false }, true, true},
		{func(v *dedupe.Verdict) { v.Flag = dedupe.Conflict }, false, false},
		{func(*dedupe.Verdict) {}, true, false},
		{func(v *dedupe.Verdict) { v.Action = dedupe.Duplicate }, true, false},
	} {
		verdict := usual
		tc.change(&verdict)
		for i, out := range r.Outgoing(verdict, received) {
			d, disposes := out.Message.(*kycv1.Disposition)
			if known := out.Value != nil; known != (disposes && tc.decided || !disposes && tc.events) {
				t.Errorf("%d: value of %T %d is known: %v", n, out.Message, i, known)
			}
			if disposes && (!d.GetDecidedAt().AsTime().Equal(received) || verdict.Keyed != (len(d.GetDedupeKey()) > 0) || verdict.Keyed && d.GetDedupeKey()[0] != verdict.Key[0]) {
				t.Errorf("%d: the disposition is %v", n, d)
			}
			if out.Value == nil {
				continue
			}
			back := out.Message.ProtoReflect().New().Interface()
			if err := contract.Unmarshal(out.Value, back); err != nil || !proto.Equal(back, out.Message) {
				t.Errorf("%d: value of %T is %v, error %v; expected %v", n, out.Message, back, err, out.Message)
			}
		}
	}
}

func TestOutgoingKeysPartitionsAndHeaders(t *testing.T) {
	s := said{Subject: "s", ID: "e", Text: "x", AgeDays: 400}
	r := interpreter(t, normalize.InterpreterOptions{StaleAfter: 30 * 24 * time.Hour}).Interpret(raw(t, s))
	out := r.Outgoing(dedupe.Verdict{Action: dedupe.Publish, Keyed: true, Key: dedupe.Key{9}, Flag: dedupe.Unconfirmed}, received)
	if len(out) != 2 {
		t.Fatalf("%d records, expected an event and its disposition", len(out))
	}
	headers := map[string]string{}
	for _, h := range out[0].Headers {
		headers[h.Key] = string(h.Value)
	}
	e := out[0].Message.(*kycv1.SessionEvent)
	id := e.GetMetadata().GetEventId()
	for key, want := range map[string]string{
		"ce_id": id, "ce_subject": "s", "dedupe": "unconfirmed", "stale": "true",
		"traceparent": "00-019000000000700080000000000000aa-" + strings.ReplaceAll(id, "-", "")[:16] + "-01",
	} {
		if headers[key] != want {
			t.Errorf("header %s is %q, expected %q", key, headers[key], want)
		}
	}
	if got := fmt.Sprint(e.GetMetadata().GetFlags()); got != "[dedupe=unconfirmed stale=true]" {
		t.Errorf("flags %s", got)
	}
	if string(out[0].Key) != "shop/s" || out[0].Partition != -1 || out[1].Partition != 3 {
		t.Errorf("key %q, partitions %d and %d, expected shop/s, by key, and the raw partition 3", out[0].Key, out[0].Partition, out[1].Partition)
	}
	d := out[1].Message.(*kycv1.Disposition)
	if d.GetKind() != kycv1.DispositionKind_DISPOSITION_KIND_EMITTED || len(d.GetEventIds()) != 1 || d.GetDedupeKey()[0] != 9 {
		t.Errorf("disposition %v", d)
	}
	if n := len(r.Outgoing(dedupe.Verdict{Action: dedupe.Nothing}, received)); n != 0 {
		t.Errorf("%d records for one that is disposed of already, expected none", n)
	}
	dup := r.Outgoing(dedupe.Verdict{Action: dedupe.Duplicate, Owner: dedupe.Claim{Partition: 3, Offset: 2}}, received)
	if len(dup) != 1 || dup[0].Message.(*kycv1.Disposition).GetDuplicateOf().GetOffset() != 2 {
		t.Errorf("a duplicate gives %v, expected a disposition that names offset 2", dup)
	}
}

func TestWhatDoesNotFitNeverReachesTheProducer(t *testing.T) {
	const limit = 20_000
	i := interpreter(t, normalize.InterpreterOptions{MaxRecordBytes: limit})
	large := said{Subject: "s", ID: "e", Text: strings.Repeat("x", limit), Do: "panic"}
	many := said{Subject: "s", ID: "e", Events: 600}
	for name, s := range map[string]said{"body": large, "events": many} {
		r := i.Interpret(raw(t, s))
		if r.Dead == nil {
			t.Errorf("%s: no dead letter", name)
			continue
		}
		if n := proto.Size(r.Dead); n > limit {
			t.Errorf("%s: the dead letter has %d bytes, at most %d fit", name, n, limit)
		}
		for _, out := range r.Outgoing(dedupe.Verdict{Action: dedupe.Publish}, received) {
			if n := proto.Size(out.Message); n > limit {
				t.Errorf("%s: a %T of %d bytes, at most %d fit", name, out.Message, n, limit)
			}
		}
	}
	if r := i.Interpret(raw(t, large)); len(r.Dead.GetEnvelope().GetBody()) != 0 || !strings.Contains(r.Dead.GetDetail(), "body") {
		t.Errorf("the body that does not fit is still there, or the dead letter does not say that it is not")
	}
	if r := i.Interpret(raw(t, many)); r.Dead.GetReason() != kycv1.DeadLetterReason_DEAD_LETTER_REASON_REJECTED_CONTENT {
		t.Errorf("too many events: %v, expected REJECTED_CONTENT", r.Dead.GetReason())
	}
}

func FuzzInterpret(f *testing.F) {
	v := normalizetest.Validator(f)
	i := normalize.NewInterpreter([]providers.Provider{vendor()}, v, normalize.InterpreterOptions{MaxRecordBytes: 1 << 20})
	good, _ := proto.Marshal(said{Subject: "s", ID: "e", Text: "x"}.envelope())
	f.Add([]byte("shop/s"), good)
	f.Add([]byte(nil), []byte("\x0a\xff"))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		r := i.Interpret(normalize.RawRecord{Topic: "kyc.raw.v1", Key: key, Value: value})
		if r.Err != nil || (r.Dead == nil) == (len(r.Events) == 0) {
			t.Fatalf("neither events nor a dead letter, or both: %+v", r)
		}
		for _, out := range r.Outgoing(dedupe.Verdict{Action: dedupe.Publish}, received) {
			if err := v.Validate(out.Message); err != nil {
				t.Errorf("%T breaks the contract: %v", out.Message, err)
			}
		}
	})
}
