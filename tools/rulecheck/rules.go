package main

import (
	"fmt"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// differences compares the rules of one place. A rule whose direction is not known here may go, and may neither
// come nor change: a newer protovalidate makes the check stricter, never blind.
type differences struct {
	at     protoreflect.Descriptor
	prefix string // path of the rules within those of the place, with its dot
}

// directions say by name which way a limit loosens: 1 upwards, -1 downwards.
var directions = map[protoreflect.Name]int{
	"max_len": 1, "max_bytes": 1, "max_items": 1, "max_pairs": 1, "within": 1,
	"min_len": -1, "min_bytes": -1, "min_items": -1, "min_pairs": -1,
}

// compare gives what is tighter in is than in was. Both are of one type of rules.
func (d differences) compare(was, is protoreflect.Message) (found []finding) {
	fields := is.Descriptor().Fields()
	for i := range fields.Len() {
		found = append(found, d.rule(fields.Get(i), was, is)...)
	}
	found = append(found, d.rangeOf(was, is)...)
	if unknown := is.GetUnknown(); len(unknown) > 0 && string(unknown) != string(was.GetUnknown()) {
		found = append(found, finding{at: d.at, rule: d.prefix + "?", was: fmt.Sprintf("%x", []byte(was.GetUnknown())),
			is: fmt.Sprintf("%x", []byte(unknown)), do: "rules of one's own kind are not known to rulecheck: " + noNewRule})
	}
	return found
}

// rule is about one field of the rules.
func (d differences) rule(f protoreflect.FieldDescriptor, was, is protoreflect.Message) []finding {
	name := f.Name()
	switch {
	case name == "example" || inRange[name] || closes(f): // the last two are looked at as a whole
		return nil
	case name == "cel":
		return d.expressions(f, was, is)
	case name == "ignore" || name == "strict": // these loosen: what they said must still hold
		return d.unless(looser(f, was, is), f, was, is, true)
	case !is.Has(f):
		return nil
	case f.IsList() && name == "in":
		return d.unless(was.Has(f) && contains(is.Get(f).List(), was.Get(f).List()), f, was, is, false)
	case f.IsList(): // not_in, oneof, cel_expression: each is a rule of its own
		return d.unless(contains(was.Get(f).List(), is.Get(f).List()), f, was, is, false)
	case f.Message() != nil && isRules(f.Message()):
		return differences{d.at, d.prefix + string(name) + "."}.compare(was.Get(f).Message(), is.Get(f).Message())
	case directions[name] != 0:
		return d.limit(f, was, is)
	case f.Kind() == protoreflect.BoolKind && name != "const":
		return d.unless(was.Get(f).Bool() || !is.Get(f).Bool(), f, was, is, false)
	default: // const, len, pattern, prefix, …
		return d.unless(was.Has(f) && was.Get(f).Equal(is.Get(f)), f, was, is, was.Has(f))
	}
}

// isRules tells rules from values, such as a Duration.
func isRules(m protoreflect.MessageDescriptor) bool {
	return m.ParentFile().Path() == validate.File_buf_validate_validate_proto.Path()
}

// looser reports whether ignore or strict is no tighter. What is left out counts as the tightest there is.
func looser(f protoreflect.FieldDescriptor, was, is protoreflect.Message) bool {
	if f.Name() == "ignore" {
		return is.Get(f).Enum() >= was.Get(f).Enum() // UNSPECIFIED, IF_ZERO_VALUE, ALWAYS: ever fewer values are judged
	}
	strict := func(rules protoreflect.Message) bool { return !rules.Has(f) || rules.Get(f).Bool() }
	return strict(was) || !strict(is)
}

// limit is about one end of a length or a count. A least length of 0 is none.
func (d differences) limit(f protoreflect.FieldDescriptor, was, is protoreflect.Message) []finding {
	up := directions[f.Name()] > 0
	if up && !was.Has(f) {
		return d.unless(false, f, was, is, false)
	}
	c := order(is.Get(f), was.Get(f))
	return d.unless(c == 0 || (c > 0) == up, f, was, is, false)
}

// unless is a finding where a rule is not allowed; readable as in finding.
func (d differences) unless(allowed bool, f protoreflect.FieldDescriptor, was, is protoreflect.Message, readable bool) []finding {
	if allowed {
		return nil
	}
	do := keepOrLoosen
	if !was.Has(f) {
		do = noNewRule
	}
	return []finding{{at: d.at, rule: d.prefix + string(f.Name()), was: show(f, was), is: show(f, is), do: do,
		readable: readable && was.Has(f) && is.Has(f) && f.Kind() != protoreflect.EnumKind}}
}

// expressions are rules in CEL. One that stood under another id is the same rule; one that is changed can only be read.
func (d differences) expressions(f protoreflect.FieldDescriptor, was, is protoreflect.Message) (found []finding) {
	byID, stood := map[string]string{}, map[string]bool{}
	each(was.Get(f).List(), func(r *validate.Rule) {
		byID[r.GetId()] = r.GetExpression()
		stood[r.GetExpression()] = true
	})
	each(is.Get(f).List(), func(r *validate.Rule) {
		if stood[r.GetExpression()] {
			return
		}
		old, known := byID[r.GetId()]
		do := noNewRule
		if known {
			do = keepOrLoosen
		}
		found = append(found, finding{at: d.at, rule: d.prefix + "cel[" + r.GetId() + "]", was: old, is: r.GetExpression(), do: do, readable: known})
	})
	return found
}

func each(list protoreflect.List, do func(*validate.Rule)) {
	for i := range list.Len() {
		if r, ok := list.Get(i).Message().Interface().(*validate.Rule); ok {
			do(r)
		}
	}
}

// contains reports whether every element of part is in whole.
func contains(whole, part protoreflect.List) bool {
	for i := range part.Len() {
		if !holds(whole, part.Get(i)) {
			return false
		}
	}
	return true
}

func holds(list protoreflect.List, value protoreflect.Value) bool {
	for i := range list.Len() {
		if list.Get(i).Equal(value) {
			return true
		}
	}
	return false
}

// show is the value of a rule for a message; "" where it is not set.
func show(f protoreflect.FieldDescriptor, rules protoreflect.Message) string {
	if !rules.Has(f) {
		return ""
	}
	if f.Kind() == protoreflect.EnumKind && !f.IsList() {
		if value := f.Enum().Values().ByNumber(rules.Get(f).Enum()); value != nil {
			return string(value.Name())
		}
	}
	only := rules.New()
	only.Set(f, rules.Get(f))
	text := prototext.MarshalOptions{Multiline: false}.Format(only.Interface())
	return strings.TrimPrefix(strings.TrimSpace(text), string(f.Name())+":")
}
