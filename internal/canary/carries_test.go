package canary_test

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/canary"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// TestEveryFieldTakesAStand: a field that is new in the contract says what it may hold of what vendors send.
func TestEveryFieldTakesAStand(t *testing.T) {
	var all []protoreflect.MessageDescriptor
	for _, topic := range schemas.Topics() {
		all = append(all, topic.Message.ProtoReflect().Descriptor())
	}
	undeclared, stale := canary.Undeclared(all...)
	for _, name := range undeclared {
		t.Errorf("%s is new: say in carries.go what it may hold of what a vendor sends", name)
	}
	for _, name := range stale {
		t.Errorf("%s is in no message of a topic: take it out of carries.go", name)
	}
	// That it can fail: the events alone lack the fields of the rest.
	if _, stale := canary.Undeclared(all[0]); len(stale) == 0 {
		t.Error("a list with fields of other messages has none that is stale")
	}
	if undeclared, _ := canary.Undeclared(protoreflect.MessageDescriptor(kycv1.File_kyc_v1_raw_proto.Messages().Get(0))); len(undeclared) != 0 {
		t.Errorf("%v take no stand", undeclared)
	}
}

// TestLeaks: what is in a field that may not hold it is found, however deep.
func TestLeaks(t *testing.T) {
	free, coded := canary.Of("mail"), canary.Of("document number")
	both := free.Text + coded.Text
	e := &kycv1.CheckEvent{
		Metadata: &kycv1.EventMetadata{
			Tenant: both, VendorAttributes: map[string]string{"level": both},
			Subject: &kycv1.Subject{SessionId: both, RelatedCheckIds: []string{"c-1", both}},
		},
		ReasonCodes: []string{both}, VendorResult: both,
	}
	for _, tc := range []struct {
		what    string
		c       canary.Canary
		nowhere bool
		want    int
	}{
		{"free text is in no code", free, false, 4},
		{"what has the form of a code may be in one", coded, false, 1},
		{"what stood at a personal place is nowhere", coded, true, 6},
	} {
		if got := tc.c.Leaks(e.ProtoReflect(), tc.nowhere); len(got) != tc.want {
			t.Errorf("%s: %v, want %d", tc.what, got, tc.want)
		}
	}
	named := &kycv1.EventMetadata{VendorAttributes: map[string]string{both: ""}}
	if got := coded.Leaks(named.ProtoReflect(), false); len(got) != 1 {
		t.Errorf("the name of an attribute: %v, want one leak", got)
	}
	letter := &kycv1.DeadLetter{Detail: both, Envelope: &kycv1.RawEnvelope{Body: []byte(both), Headers: []*kycv1.HttpHeader{{Name: both, Value: both}}}}
	if got := coded.Leaks(letter.ProtoReflect(), true); len(got) != 2 {
		t.Errorf("a dead letter: %v, want its detail and the name of its header", got)
	}
}
