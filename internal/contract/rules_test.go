package contract_test

import (
	"errors"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/contract/ruletest"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func validator(t testing.TB) *contract.Validator {
	t.Helper()
	return contract.NewValidator()
}

// broken gives the ids of the rules that a message breaks, each behind the
// path of its field, sorted.
func broken(t testing.TB, v *contract.Validator, m proto.Message) []string {
	t.Helper()
	return ruletest.Violations(t, v.Validate(m))
}

// A message that the validator has not compiled gives an error instead of a
// verdict, which would stop a partition.
func TestValidatorKnowsEveryMessage(t *testing.T) {
	v := validator(t)
	for _, d := range suite.Messages() {
		var invalid *protovalidate.ValidationError
		if err := v.Validate(ruletest.New(t, d)); err != nil && !errors.As(err, &invalid) {
			t.Errorf("%s: %v", d.FullName(), err)
		}
	}
}

// A list of allowed values in a rule would make consumers with an old contract
// refuse events that carry a new value.
func TestNoRuleListsEnumValues(t *testing.T) {
	for _, d := range suite.Messages() {
		for i := range d.Fields().Len() {
			f := d.Fields().Get(i)
			rules, _ := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules)
			for _, r := range []*validate.EnumRules{rules.GetEnum(), rules.GetRepeated().GetItems().GetEnum(), rules.GetMap().GetValues().GetEnum()} {
				if r.GetDefinedOnly() || len(r.GetIn()) > 0 || r.HasConst() {
					t.Errorf("%s has a rule that refuses new enum values", f.FullName())
				}
			}
		}
	}
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
