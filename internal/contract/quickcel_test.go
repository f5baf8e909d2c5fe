package contract

import (
	"errors"
	"math/rand/v2"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/kycbridge/kycbridge/schemas"
)

// withWholeRules are the messages in domain events that have rules as a whole.
func withWholeRules() map[protoreflect.MessageDescriptor][]*validate.Rule {
	found, seen := map[protoreflect.MessageDescriptor][]*validate.Rule{}, map[protoreflect.MessageDescriptor]bool{}
	var look func(d protoreflect.MessageDescriptor)
	look = func(d protoreflect.MessageDescriptor) {
		if d == nil || seen[d] {
			return
		}
		seen[d] = true
		if rules, _ := proto.GetExtension(d.Options(), validate.E_Message).(*validate.MessageRules); len(rules.GetCel()) > 0 {
			found[d] = rules.GetCel()
		}
		for i := range d.Fields().Len() {
			look(d.Fields().Get(i).Message())
		}
	}
	for _, topic := range schemas.Topics() {
		if topic.Domain {
			look(topic.Message.ProtoReflect().Descriptor())
		}
	}
	return found
}

// TestConditionsAreTheRules asks protovalidate about many messages, and each condition that is made of
// a rule: the one must hold exactly where the other is not broken.
func TestConditionsAreTheRules(t *testing.T) {
	v, err := protovalidate.New()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string][2]int{}
	for d, rules := range withWholeRules() {
		random := rand.New(rand.NewPCG(1, 2))
		for range 400 {
			m := newOf(t, d, random.IntN(4) == 0)
			fill(random, m, 2)
			broken := brokenRules(t, v, m.Interface())
			for _, rule := range rules {
				holds, ok := conditionOf(rule.GetExpression(), d)
				if !ok {
					t.Fatalf("the rule %s is not known, so that it is slow", rule.GetId())
				}
				if holds(m) == broken[rule.GetId()] {
					t.Fatalf("the rule %s is broken: %v, and its condition says the same, of %v", rule.GetId(), broken[rule.GetId()], m)
				}
				n := seen[rule.GetId()]
				if n[0]++; broken[rule.GetId()] {
					n[1]++
				}
				seen[rule.GetId()] = n
			}
		}
	}
	if len(seen) < 15 {
		t.Errorf("only %d rules of the contract were tried", len(seen))
	}
	for id, n := range seen {
		if n[1] == 0 || n[1] == n[0] {
			t.Errorf("the rule %s was broken by %d of %d messages: that says nothing", id, n[1], n[0])
		}
	}
}

// newOf is a message as Go programs have it, or as those have it that know only its description.
func newOf(t *testing.T, d protoreflect.MessageDescriptor, dynamic bool) protoreflect.Message {
	t.Helper()
	if dynamic {
		return dynamicpb.NewMessage(d)
	}
	generated, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return generated.New()
}

// brokenRules are those of the message itself, not of one in it.
func brokenRules(t *testing.T, v protovalidate.Validator, m proto.Message) map[string]bool {
	t.Helper()
	broken := map[string]bool{}
	err := v.Validate(m)
	var all *protovalidate.ValidationError
	if err != nil && !errors.As(err, &all) {
		t.Fatal(err)
	}
	if all != nil {
		for _, violation := range all.Violations {
			if len(violation.Proto.GetField().GetElements()) == 0 {
				broken[violation.Proto.GetRuleId()] = true
			}
		}
	}
	return broken
}

// fill sets some of the fields, to what the rules as a whole are about.
func fill(random *rand.Rand, m protoreflect.Message, depth int) {
	texts := []string{"", "a", "2026-02-01", "2026-02-01T10:00:00Z", "2026-02-30", "2026-13-01"}
	numbers := []protoreflect.EnumNumber{0, 1, 2, 2, 2, 3, 4, 7, 8, 8, 9}
	often := 1 + random.IntN(4)
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		if random.IntN(4) >= often {
			continue
		}
		switch {
		case f.IsMap():
		case f.IsList():
			for range random.IntN(3) {
				if f.Message() != nil && depth > 0 {
					fill(random, m.Mutable(f).List().AppendMutable().Message(), depth-1)
				} else if f.Kind() == protoreflect.StringKind {
					m.Mutable(f).List().Append(protoreflect.ValueOfString("a"))
				}
			}
		case f.Message() != nil:
			if inner := m.Mutable(f).Message(); depth > 0 {
				fill(random, inner, depth-1)
			}
		case f.Kind() == protoreflect.StringKind:
			m.Set(f, protoreflect.ValueOfString(texts[random.IntN(len(texts))]))
		case f.Kind() == protoreflect.EnumKind:
			m.Set(f, protoreflect.ValueOfEnum(numbers[random.IntN(len(numbers))]))
		case f.Kind() == protoreflect.BoolKind:
			m.Set(f, protoreflect.ValueOfBool(random.IntN(2) == 0))
		case f.Kind() == protoreflect.Int32Kind:
			m.Set(f, protoreflect.ValueOfInt32(random.Int32N(3)))
		}
	}
}

// An expression with more in it than is known here is left to protovalidate.
func TestNoCondition(t *testing.T) {
	d := schemas.Topics()[1].Message.ProtoReflect().Descriptor()
	for _, expression := range []string{
		"", "this", "true ? true : false", "this.nothing == 1", "this.vendor_status", "this.vendor_status == 1", "this.vendor_status.size() > 1", "has(this.vendor_status)",
		"that.vendor_status == ''", "this.vendor_status.startsWith('a')", "this.vendor_status.matches(this.vendor_outcome)", "this.vendor_status.matches('(')",
		"this.transition in [this.decision]", "this.transition in ['a']", "this.vendor_status in [1]", "this.reason_codes.all(c, c != '')", "this.metadata == this.metadata",
		"this.metadata.subject.all(f, true)", "this.reason_codes.size(1) == 0", "size(this.reason_codes) == 0", "this.metadata.raw.offset == 1u", "this.metadata.vendor_attributes.size() == 0",
		"this.required_steps.step_id == ''", "this.required_steps.all(f, this.transition == 1)", "!this.vendor_status", "this.transition && true", "this.vendor_status == 'a' || this.nothing", "(", "'ok'",
	} {
		if _, ok := conditionOf(expression, d); ok {
			t.Errorf("%s is taken for known", expression)
		}
	}
}
