package normalize_test

import (
	"fmt"
	"testing"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func TestDuplicatesInOneBatchAndAcrossBatches(t *testing.T) {
	w := newWorld(t, 2)
	a := said{Subject: "s1", ID: "e1", Text: "one"}
	w.send(0, a, a, said{Subject: "s1", ID: "e2", Text: "two"}, a)
	w.send(1, said{Subject: "s2", ID: "e1", Text: "other subject"})
	p := w.start(0)
	w.settle()
	w.send(0, a, a)
	w.settle()
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	w.send(0, a)
	w.start(0)
	w.settle()
	w.expectEvents("e1/one", "e2/two", "e1/other subject")
	w.audit()
	for _, d := range w.dispositions() {
		if d.GetKind() == kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE && d.GetDuplicateOf().GetOffset() != 0 {
			t.Errorf("record %v is a duplicate of %v, expected of offset 0", d.GetRaw(), d.GetDuplicateOf())
		}
	}
}

func TestOtherContentUnderOneIdentityIsFlagged(t *testing.T) {
	w := newWorld(t, 1)
	one, two := said{Subject: "s", ID: "e", Text: "one"}, said{Subject: "s", ID: "e", Text: "two"}
	w.send(0, one, two, one, two)
	w.start(0)
	w.settle()
	w.send(0, two, one, said{Subject: "s", ID: "e", Text: "three"})
	w.settle()
	w.expectEvents("e/one", "e/two", "e/three")
	w.audit()
	for _, r := range w.Read(schemas.Session) {
		flag := ""
		for _, h := range r.Headers {
			if h.Key == "dedupe" {
				flag = string(h.Value)
			}
		}
		want := "conflict"
		if r.Offset == 0 {
			want = ""
		}
		if flag != want {
			t.Errorf("event %d has dedupe=%q, expected %q", r.Offset, flag, want)
		}
	}
}

func TestPoisonIsBuriedAloneWithItsReason(t *testing.T) {
	w := newWorld(t, 1)
	var want []string
	reasons := map[string]kycv1.DeadLetterReason{
		"panic": kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER, "index": kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER,
		"invalid": kycv1.DeadLetterReason_DEAD_LETTER_REASON_INVALID, "none": kycv1.DeadLetterReason_DEAD_LETTER_REASON_INVALID,
		"utf8": kycv1.DeadLetterReason_DEAD_LETTER_REASON_INVALID, "mismatch": kycv1.DeadLetterReason_DEAD_LETTER_REASON_MISMATCH,
		"new": kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED, "broken": kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER,
	}
	n := 0
	for do := range reasons {
		bad := said{Subject: "s", ID: "bad-" + do, Do: do}
		w.send(0, bad, said{Subject: "s", ID: fmt.Sprint(n), Text: "good"}, bad)
		want = append(want, fmt.Sprintf("%d/good", n))
		n++
	}
	w.sendBytes(0, []byte("shop/x"), []byte("\xff no envelope"))
	w.sendBytes(0, []byte("shop/x"), nil)
	w.start(0)
	w.settle()
	w.expectEvents(want...)
	w.audit()
	dead := w.deadLetters()
	if len(dead) != len(reasons)+2 {
		t.Errorf("%d dead letters, expected %d: one for each poison and one for each record that is no envelope", len(dead), len(reasons)+2)
	}
	for _, d := range dead {
		if d.GetStage() == "decode" {
			if d.GetReason() != kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED {
				t.Errorf("a record that is no envelope: reason %v, expected MALFORMED", d.GetReason())
			}
			continue
		}
		var do string
		for name := range reasons {
			if said := (said{Subject: "s", ID: "bad-" + name, Do: name}); string(said.body()) == string(d.GetEnvelope().GetBody()) {
				do = name
			}
		}
		if d.GetReason() != reasons[do] {
			t.Errorf("%s: reason %v, expected %v", do, d.GetReason(), reasons[do])
		}
	}
}

func TestRecordsWithoutIdentityAreAllPublished(t *testing.T) {
	w := newWorld(t, 1)
	s := said{Subject: "s", Text: "same"}
	w.send(0, s, s)
	w.start(0)
	w.settle()
	w.expectEvents("/same", "/same")
	for _, d := range w.dispositions() {
		if len(d.GetDedupeKey()) != 0 {
			t.Errorf("disposition of %v names a key, but nothing was claimed", d.GetRaw())
		}
	}
}
