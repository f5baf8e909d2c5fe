package contract_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/kycbridge/kycbridge/internal/contract"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

func validator(t testing.TB) *contract.Validator {
	t.Helper()
	return contract.NewValidator()
}

// broken gives the ids of the rules that a message breaks, each behind the
// path of its field, sorted.
func broken(t testing.TB, v *contract.Validator, m proto.Message) []string {
	t.Helper()
	return violationsOf(t, v.Validate(m))
}

func violationsOf(t testing.TB, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var invalid *protovalidate.ValidationError
	if !errors.As(err, &invalid) {
		t.Fatalf("a rule could not be evaluated: %v", err)
	}
	var ids []string
	for _, violation := range invalid.Violations {
		id := violation.Proto.GetRuleId()
		if path := protovalidate.FieldPathString(violation.Proto.GetField()); path != "" {
			id = path + " " + id
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// A message that the validator has not compiled gives an error instead of a
// verdict, which would stop a partition.
func TestValidatorKnowsEveryMessage(t *testing.T) {
	v := validator(t)
	eachMessage(func(d protoreflect.MessageDescriptor) {
		m := newMessage(t, d)
		var invalid *protovalidate.ValidationError
		if err := v.Validate(m); err != nil && !errors.As(err, &invalid) {
			t.Errorf("%s: %v", d.FullName(), err)
		}
	})
}

func TestEveryMessageHasRules(t *testing.T) {
	eachMessage(func(d protoreflect.MessageDescriptor) {
		if proto.HasExtension(d.Options(), validate.E_Message) {
			return
		}
		for i := range d.Fields().Len() {
			if proto.HasExtension(d.Fields().Get(i).Options(), validate.E_Field) {
				return
			}
		}
		t.Errorf("%s has no rule: nothing in it is bounded or required", d.FullName())
	})
}

// A list of allowed values in a rule would make consumers with an old contract
// refuse events that carry a new value.
func TestNoRuleListsEnumValues(t *testing.T) {
	eachMessage(func(d protoreflect.MessageDescriptor) {
		if d.ParentFile().Package() != "kyc.v1" {
			return
		}
		for i := range d.Fields().Len() {
			f := d.Fields().Get(i)
			rules, _ := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules)
			for _, r := range []*validate.EnumRules{rules.GetEnum(), rules.GetRepeated().GetItems().GetEnum(), rules.GetMap().GetValues().GetEnum()} {
				if r.GetDefinedOnly() || len(r.GetIn()) > 0 || r.HasConst() {
					t.Errorf("%s has a rule that refuses new enum values", f.FullName())
				}
			}
		}
	})
}

// The same where it counts: a value from a later contract must pass.
func TestNewEnumValuesPass(t *testing.T) {
	v := validator(t)
	for _, m := range []proto.Message{session(), check(), aml(), renewal(), resource(), envelope(), task(), disposition(), deadLetter()} {
		fillEnums(m.ProtoReflect(), 1000)
		if e, ok := m.(*kycv1.ResourceEvent); ok {
			e.ChangedFields = nil
		}
		if got := broken(t, v, m); got != nil {
			t.Errorf("%s with unknown enum values breaks %v", m.ProtoReflect().Descriptor().FullName(), got)
		}
	}
}

func fillEnums(m protoreflect.Message, n protoreflect.EnumNumber) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		switch f := fields.Get(i); {
		case f.IsList() || f.IsMap():
		case f.Kind() == protoreflect.EnumKind:
			m.Set(f, protoreflect.ValueOfEnum(n))
		case f.Kind() == protoreflect.MessageKind && m.Has(f) && f.Message().ParentFile().Package() == "kyc.v1":
			fillEnums(m.Mutable(f).Message(), n)
		}
	}
}

// A violation is logged and kept in dead letters, so no message of a rule may
// be able to quote what it judges.
func TestRuleMessagesAreFixedTexts(t *testing.T) {
	eachMessage(func(d protoreflect.MessageDescriptor) {
		rules, _ := proto.GetExtension(d.Options(), validate.E_Message).(*validate.MessageRules)
		all := slices.Clone(rules.GetCel())
		for i := range d.Fields().Len() {
			f, _ := proto.GetExtension(d.Fields().Get(i).Options(), validate.E_Field).(*validate.FieldRules)
			all = append(all, f.GetCel()...)
			all = append(all, f.GetRepeated().GetItems().GetCel()...)
		}
		for _, r := range all {
			if r.GetMessage() == "" || strings.Contains(r.GetExpression(), "? ''") {
				t.Errorf("%s: rule %s has no fixed message", d.FullName(), r.GetId())
			}
		}
	})
}

func eachMessage(do func(protoreflect.MessageDescriptor)) {
	for _, file := range contractFiles() {
		for i := range file.Messages().Len() {
			do(file.Messages().Get(i))
		}
	}
	for i := range configv1.File_kycbridge_config_v1_config_proto.Messages().Len() {
		do(configv1.File_kycbridge_config_v1_config_proto.Messages().Get(i))
	}
}

func contractFiles() []protoreflect.FileDescriptor {
	return []protoreflect.FileDescriptor{
		kycv1.File_kyc_v1_event_proto, kycv1.File_kyc_v1_session_proto, kycv1.File_kyc_v1_check_proto,
		kycv1.File_kyc_v1_aml_proto, kycv1.File_kyc_v1_renewal_proto, kycv1.File_kyc_v1_resource_proto,
		kycv1.File_kyc_v1_raw_proto, kycv1.File_kyc_v1_hydrate_proto,
		kycv1.File_kyc_v1_disposition_proto, kycv1.File_kyc_v1_dead_letter_proto,
	}
}

func newMessage(t *testing.T, d protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	typ, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return typ.New().Interface()
}
