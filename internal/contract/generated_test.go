package contract_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/contract/generated"
	"github.com/kycbridge/kycbridge/internal/contract/ruletest"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// A valid message that is not proven costs a hundred times as much.
func TestSamplesAreProven(t *testing.T) {
	all := append(append(fullMessages(), smallMessages()...), benchMessages()...)
	all = append(all, metadata(), position(), &kycv1.Subject{}, fullSteps()[0], fullEnvelope().Headers[0], fullAml().Findings[0])
	for _, m := range all {
		if !generated.Valid(m) {
			t.Errorf("%T is not proven: %v", m, m)
		}
	}
}

// Messages that no code is generated for, or that are no generated messages, are left to the libraries.
func TestOtherMessages(t *testing.T) {
	v := validator(t)
	for _, m := range fullMessages() {
		value, err := contract.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		dynamic := dynamicpb.NewMessage(m.ProtoReflect().Descriptor())
		if err := contract.Unmarshal(value, dynamic); err != nil || v.Validate(dynamic) != nil || generated.Valid(dynamic) {
			t.Errorf("a dynamic %T: error %v, breaks %v, proven: %v", m, err, v.Validate(dynamic), generated.Valid(dynamic))
		}
		sameBytes(t, dynamic)
		dynamic.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool { dynamic.Clear(f); return true })
		if v.Validate(dynamic) == nil {
			t.Errorf("an empty dynamic %T is valid", m)
		}
	}
	none := []proto.Message{nil}
	for _, d := range suite.Messages() {
		none = append(none, ruletest.New(t, d).ProtoReflect().Type().Zero().Interface())
	}
	for _, m := range none {
		if generated.Valid(m) {
			t.Errorf("%T is proven, though it is nil", m)
		}
		sameBytes(t, m)
	}
	if v.Validate((*kycv1.SessionEvent)(nil)) == nil || v.Validate(nil) != nil {
		t.Error("a nil message is not judged as the library does")
	}
}

func TestAppendAddsToAMessage(t *testing.T) {
	first, second := &kycv1.Disposition{Tenant: "a", EventIds: []string{uuidA}}, &kycv1.Disposition{Tenant: "b", EventIds: []string{uuidB}}
	b, err := contract.Append(nil, first)
	if err == nil {
		b, err = contract.Append(b, second)
	}
	got, want := &kycv1.Disposition{}, &kycv1.Disposition{Tenant: "b", EventIds: []string{uuidA, uuidB}}
	if err != nil || contract.Unmarshal(b, got) != nil || !proto.Equal(got, want) {
		t.Errorf("read as %v, want %v, error %v", got, want, err)
	}
	for _, m := range []proto.Message{&kycv1.Disposition{Tenant: "\xff"}, &configv1.Config{Endpoints: []*configv1.Endpoint{{Name: "\xff"}}}} {
		if _, err := contract.Append(nil, m); err == nil {
			t.Errorf("%T is encoded, though it is not UTF-8", m)
		}
	}
}
