package normalize_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

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

// interpret reads a record, and fails on a fault of our own rules.
func interpret(t testing.TB, i *normalize.Interpreter, r normalize.RawRecord) *normalize.Reading {
	t.Helper()
	return normalizetest.Must(i.Interpret(r))(t)
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
		r := interpret(t, i, raw(t, s))
		if r.Letter() == nil {
			t.Errorf("%s: %+v, expected a dead letter alone", c.do, r)
			continue
		}
		d := r.Letter()
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
		r := interpret(t, i, normalize.RawRecord{Topic: "kyc.raw.v1", Key: []byte("k"), Value: c.value})
		if r.Letter().GetReason() != c.reason || r.Letter().GetStage() != c.stage || len(r.Identity) != 0 {
			t.Errorf("%s: %v at %s, expected %v at %s", name, r.Letter().GetReason(), r.Letter().GetStage(), c.reason, c.stage)
		}
		for _, out := range normalizetest.Records(t, r, dedupe.Verdict{Action: dedupe.Publish}, received) {
			if err := normalizetest.Validator(t).Validate(normalizetest.Message(t, out)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestSameRecordGivesTheSameBytes(t *testing.T) {
	s := said{Subject: "s", ID: "e", Text: "x", Events: 3, AgeDays: 400}
	var first []byte
	for range 3 {
		r := interpret(t, interpreter(t, normalize.InterpreterOptions{StaleAfter: time.Hour}), raw(t, s))
		var all []byte
		for _, out := range normalizetest.Records(t, r, dedupe.Verdict{Action: dedupe.Publish, Flag: dedupe.Conflict}, received) {
			all = fmt.Appendf(all, "%x %x %d %v\n", out.Value, out.Key, out.Partition, out.Headers)
		}
		if first == nil {
			first = all
		}
		if !bytes.Equal(first, all) {
			t.Errorf("the second reading gives\n%s\nexpected\n%s", all, first)
		}
	}
}

// TestVerdictsChangeNothingPrebuilt: what is usual is encoded when it is read, and everything else when
// the verdict is there. A reading that is decided in several ways, one after the other, says each time
// what a fresh one would.
func TestVerdictsChangeNothingPrebuilt(t *testing.T) {
	i := interpreter(t, normalize.InterpreterOptions{})
	record := raw(t, said{Subject: "s", ID: "e", Text: "x", Events: 3})
	kept := interpret(t, i, record)
	usual := dedupe.Verdict{Action: dedupe.Publish, Keyed: true, Key: dedupe.Key{7}}
	for n, change := range []func(*dedupe.Verdict){
		func(*dedupe.Verdict) {},
		func(v *dedupe.Verdict) { v.Key = dedupe.Key{8} },
		func(v *dedupe.Verdict) { v.Keyed = false },
		func(v *dedupe.Verdict) { v.Flag = dedupe.Conflict },
		func(*dedupe.Verdict) {},
		func(v *dedupe.Verdict) { v.Action = dedupe.Duplicate },
		func(v *dedupe.Verdict) { v.Flag = dedupe.Unverified },
		func(*dedupe.Verdict) {},
	} {
		verdict := usual
		change(&verdict)
		want := normalizetest.Records(t, interpret(t, i, record), verdict, received)
		got := normalizetest.Records(t, kept, verdict, received)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d: the records are %v, want %v", n, got, want)
		}
		d := normalizetest.Message(t, got[len(got)-1]).(*kycv1.Disposition)
		if !d.GetDecidedAt().AsTime().Equal(received) || verdict.Keyed != (len(d.GetDedupeKey()) > 0) || verdict.Keyed && d.GetDedupeKey()[0] != verdict.Key[0] {
			t.Errorf("%d: the disposition is %v", n, d)
		}
		for _, out := range got[:len(got)-1] {
			flags := normalizetest.Message(t, out).(*kycv1.SessionEvent).GetMetadata().GetFlags()
			if flagged := len(flags) > 0; flagged != (verdict.Flag != "") {
				t.Errorf("%d: flags %v under the flag %q", n, flags, verdict.Flag)
			}
		}
	}
}

func TestRecordsHaveKeysPartitionsAndHeaders(t *testing.T) {
	s := said{Subject: "s", ID: "e", Text: "x", AgeDays: 400}
	r := interpret(t, interpreter(t, normalize.InterpreterOptions{StaleAfter: 30 * 24 * time.Hour}), raw(t, s))
	out := normalizetest.Records(t, r, dedupe.Verdict{Action: dedupe.Publish, Keyed: true, Key: dedupe.Key{9}, Flag: dedupe.Unconfirmed}, received)
	if len(out) != 2 {
		t.Fatalf("%d records, expected an event and its disposition", len(out))
	}
	headers := map[string]string{}
	for _, h := range out[0].Headers {
		headers[h.Key] = string(h.Value)
	}
	e := normalizetest.Message(t, out[0]).(*kycv1.SessionEvent)
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
	d := normalizetest.Message(t, out[1]).(*kycv1.Disposition)
	if d.GetKind() != kycv1.DispositionKind_DISPOSITION_KIND_EMITTED || len(d.GetEventIds()) != 1 || d.GetDedupeKey()[0] != 9 {
		t.Errorf("disposition %v", d)
	}
	if n := len(normalizetest.Records(t, r, dedupe.Verdict{Action: dedupe.Nothing}, received)); n != 0 {
		t.Errorf("%d records for one that is disposed of already, expected none", n)
	}
	dup := normalizetest.Records(t, r, dedupe.Verdict{Action: dedupe.Duplicate, Owner: dedupe.Claim{Partition: 3, Offset: 2}}, received)
	if len(dup) != 1 || normalizetest.Message(t, dup[0]).(*kycv1.Disposition).GetDuplicateOf().GetOffset() != 2 {
		t.Errorf("a duplicate gives %v, expected a disposition that names offset 2", dup)
	}
}

func TestWhatDoesNotFitNeverReachesTheProducer(t *testing.T) {
	const limit = 20_000
	i := interpreter(t, normalize.InterpreterOptions{MaxRecordBytes: limit})
	large := said{Subject: "s", ID: "e", Text: strings.Repeat("x", limit), Do: "panic"}
	many := said{Subject: "s", ID: "e", Events: 600}
	for name, s := range map[string]said{"body": large, "events": many} {
		r := interpret(t, i, raw(t, s))
		if r.Letter() == nil {
			t.Errorf("%s: no dead letter", name)
			continue
		}
		if n := proto.Size(r.Letter()); n > limit {
			t.Errorf("%s: the dead letter has %d bytes, at most %d fit", name, n, limit)
		}
		for _, out := range normalizetest.Records(t, r, dedupe.Verdict{Action: dedupe.Publish}, received) {
			if n := len(out.Value); n > limit {
				t.Errorf("%s: a record for %s of %d bytes, at most %d fit", name, out.Topic, n, limit)
			}
		}
	}
	if r := interpret(t, i, raw(t, large)); len(r.Letter().GetEnvelope().GetBody()) != 0 || !strings.Contains(r.Letter().GetDetail(), "body") {
		t.Errorf("the body that does not fit is still there, or the dead letter does not say that it is not")
	}
	if r := interpret(t, i, raw(t, many)); r.Letter().GetReason() != kycv1.DeadLetterReason_DEAD_LETTER_REASON_REJECTED_CONTENT {
		t.Errorf("too many events: %v, expected REJECTED_CONTENT", r.Letter().GetReason())
	}
}

// What becomes more than its vendor's limits is a dead letter that names the limit.
func TestADeliveryIsWithinTheLimitsOfItsVendor(t *testing.T) {
	p := vendor()
	for _, c := range []struct {
		name   string
		limits providers.Limits
		events int
		detail string // "": it is published
	}{
		{"as many events as it may", providers.Limits{Events: 7, Output: 1 << 20}, 7, ""},
		{"one more", providers.Limits{Events: 7, Output: 1 << 20}, 8, "8 events; a delivery of this vendor may become 7"},
		{"more than any may that declares none", providers.Limits{}, 101, "may become 100"},
		{"more bytes", providers.Limits{Events: 7, Output: 3000}, 7, "more than 3000 bytes"},
	} {
		p.Limits = c.limits
		i := normalize.NewInterpreter([]providers.Provider{p}, normalizetest.Validator(t), normalize.InterpreterOptions{})
		r := interpret(t, i, raw(t, said{Subject: "s", ID: "e", Events: c.events}))
		switch letter := r.Letter(); {
		case c.detail == "" && len(r.Events()) != c.events:
			t.Errorf("%s: %d events, dead letter %v", c.name, len(r.Events()), letter)
		case c.detail != "" && (letter.GetReason() != kycv1.DeadLetterReason_DEAD_LETTER_REASON_REJECTED_CONTENT || !strings.Contains(letter.GetDetail(), c.detail)):
			t.Errorf("%s: dead letter %v, expected REJECTED_CONTENT with %q", c.name, letter, c.detail)
		}
	}
}

func FuzzInterpret(f *testing.F) {
	v := normalizetest.Validator(f)
	i := normalize.NewInterpreter([]providers.Provider{vendor()}, v, normalize.InterpreterOptions{MaxRecordBytes: 1 << 20})
	good, _ := proto.Marshal(said{Subject: "s", ID: "e", Text: "x"}.envelope())
	f.Add([]byte("shop/s"), good)
	f.Add([]byte(nil), []byte("\x0a\xff"))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		r := interpret(t, i, normalize.RawRecord{Topic: "kyc.raw.v1", Key: key, Value: value})
		if (r.Letter() == nil) == (len(r.Events()) == 0) {
			t.Fatalf("neither events nor a dead letter, or both: %+v", r)
		}
		for _, out := range normalizetest.Records(t, r, dedupe.Verdict{Action: dedupe.Publish}, received) {
			if m := normalizetest.Message(t, out); v.Validate(m) != nil {
				t.Errorf("%T breaks the contract: %v", m, v.Validate(m))
			}
		}
	})
}
