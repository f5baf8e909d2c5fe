// Package ruletest holds a generated precheck against protovalidate, over valid messages of which one
// thing is changed. It finds the changes itself, from the rules; what makes a rule of a whole message
// break is for the tests of the package whose messages they are. It is for tests alone, and knows no
// message.
package ruletest

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Suite is a proto package with its precheck.
type Suite struct {
	Package protoreflect.FullName
	Valid   func(proto.Message) bool
	Full    func() []proto.Message // that keep all rules, and have every field set between them
	Small   func() []proto.Message // further ones that keep all rules
	Implied []string               // rules of fields that nothing breaks alone: "package.Message.field kind.rule"
}

// library judges without a precheck.
var library = sync.OnceValues(func() (protovalidate.Validator, error) { return protovalidate.New() })

// Broken is what protovalidate finds, sorted: for each violation the path of the field and the id of the rule.
func Broken(t testing.TB, m proto.Message) []string {
	t.Helper()
	v, err := library()
	if err != nil {
		t.Fatal(err)
	}
	return Violations(t, v.Validate(m))
}

// Violations are those of an error of protovalidate.
func Violations(t testing.TB, err error) []string {
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

// last is the id of the rule, behind the path of a field.
func last(violation string) string { return violation[strings.LastIndexByte(violation, ' ')+1:] }

// Messages are those of the package.
func (s Suite) Messages() (all []protoreflect.MessageDescriptor) {
	protoregistry.GlobalFiles.RangeFilesByPackage(s.Package, func(f protoreflect.FileDescriptor) bool {
		for i := range f.Messages().Len() {
			all = append(all, f.Messages().Get(i))
		}
		return true
	})
	return all
}

// New is an empty message.
func New(t testing.TB, d protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	typ, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return typ.New().Interface()
}

// ours reports whether a field holds messages of the package.
func (s Suite) ours(f protoreflect.FieldDescriptor) bool {
	return f.Message() != nil && !f.IsMap() && f.Message().ParentFile().Package() == s.Package
}

func fieldsOf(d protoreflect.MessageDescriptor) (all []protoreflect.FieldDescriptor) {
	for i := range d.Fields().Len() {
		all = append(all, d.Fields().Get(i))
	}
	return all
}

func rulesOf(f protoreflect.FieldDescriptor) *validate.FieldRules {
	rules, _ := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules)
	return rules
}

func rulesOfWhole(d protoreflect.MessageDescriptor) *validate.MessageRules {
	rules, _ := proto.GetExtension(d.Options(), validate.E_Message).(*validate.MessageRules)
	return rules
}

// EveryMessageHasRules fails for a message in which nothing is bounded or required.
func (s Suite) EveryMessageHasRules(t *testing.T) {
	for _, d := range s.Messages() {
		ruled := func(f protoreflect.FieldDescriptor) bool { return rulesOf(f) != nil }
		if rulesOfWhole(d) == nil && !slices.ContainsFunc(fieldsOf(d), ruled) {
			t.Errorf("%s has no rule: nothing in it is bounded or required", d.FullName())
		}
	}
}

// RuleMessagesAreFixedTexts fails where the message of a rule could quote what it judges.
func (s Suite) RuleMessagesAreFixedTexts(t *testing.T) {
	for _, d := range s.Messages() {
		all := slices.Clone(rulesOfWhole(d).GetCel())
		for _, f := range fieldsOf(d) {
			all = append(append(all, rulesOf(f).GetCel()...), rulesOf(f).GetRepeated().GetItems().GetCel()...)
		}
		for _, r := range all {
			if r.GetMessage() == "" || strings.Contains(r.GetExpression(), "? ''") {
				t.Errorf("%s: rule %s has no fixed message", d.FullName(), r.GetId())
			}
		}
	}
}

// FullMessages fails where no full message has a field set, or several items in a list or a map.
func (s Suite) FullMessages(t *testing.T) {
	full := map[string]bool{} // by path
	for _, m := range s.Full() {
		s.fill(full, m.ProtoReflect(), string(m.ProtoReflect().Descriptor().Name()))
	}
	for path, isFull := range full {
		if !isFull {
			t.Errorf("%s is never set, or has too few items", path)
		}
	}
}

func (s Suite) fill(full map[string]bool, m protoreflect.Message, path string) {
	const several = 3
	for _, f := range fieldsOf(m.Descriptor()) {
		at := path + "." + string(f.Name())
		switch v := m.Get(f); {
		case f.IsMap():
			full[at] = full[at] || v.Map().Len() >= several
		case f.IsList():
			full[at] = full[at] || v.List().Len() >= several
			for i := range v.List().Len() {
				if s.ours(f) {
					s.fill(full, v.List().Get(i).Message(), at)
				}
			}
		default:
			full[at] = full[at] || m.Has(f)
			if m.Has(f) && s.ours(f) {
				s.fill(full, v.Message(), at)
			}
		}
	}
}

// Whole tries one rule of a message as a whole: messages that break it and nothing else, and others that break
// nothing.
func (s Suite) Whole(t *testing.T, id string, breaks, keeps []proto.Message) {
	t.Helper()
	for _, m := range breaks {
		if found := Broken(t, m); len(found) != 1 || last(found[0]) != id || s.Valid(m) {
			t.Errorf("%T breaks %v, proven: %v; want only %s, of %v", m, found, s.Valid(m), id, m)
		}
	}
	for _, m := range keeps {
		if found := Broken(t, m); found != nil || !s.Valid(m) {
			t.Errorf("%T breaks %v, proven: %v; want neither to refuse, of %v", m, found, s.Valid(m), m)
		}
	}
	if len(breaks) == 0 || len(keeps) == 0 {
		t.Errorf("%s is never broken, or always", id)
	}
}

// WholeRules are the ids of the rules of messages as a whole. A rule that is no named expression stands out,
// since nobody tries one of its name.
func (s Suite) WholeRules() (ids []string) {
	for _, d := range s.Messages() {
		rules := rulesOfWhole(d)
		rules.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			if f.Name() != "cel" {
				ids = append(ids, string(f.Name()))
			}
			return true
		})
		for _, r := range rules.GetCel() {
			ids = append(ids, r.GetId())
		}
	}
	return ids
}
