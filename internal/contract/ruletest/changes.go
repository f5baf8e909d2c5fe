package ruletest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A change is made to one field of a message.
type change struct {
	field protoreflect.FullName
	set   bool // before
	what  string
	make  func(root protoreflect.Message)
}

// A field of a message that is part of others is tried in the first of them, and in the rest by sample.
const sample = 50

// Fields changes each field of the full messages: in every way that its rules forbid, and in some that they
// allow. It fails where the two disagree, and for a rule that nothing breaks alone.
func (s Suite) Fields(t *testing.T) {
	type state struct {
		field protoreflect.FullName
		set   bool
	}
	seen := map[string]bool{} // field and rule that a message broke, and broke nothing else
	first, n := map[state]proto.Message{}, 0
	for _, m := range s.Full() {
		if found := Broken(t, m); found != nil || !s.Valid(m) {
			t.Errorf("the full %T breaks %v, proven: %v", m, found, s.Valid(m))
		}
		for _, c := range s.changesOf(m.ProtoReflect(), func(root protoreflect.Message) protoreflect.Message { return root }) {
			as := state{c.field, c.set}
			if first[as] == nil {
				first[as] = m
			}
			if n++; first[as] != m && n%sample != 0 {
				continue
			}
			spoilt := proto.Clone(m)
			c.make(spoilt.ProtoReflect())
			found := Broken(t, spoilt)
			if proven := s.Valid(spoilt); proven != (found == nil) {
				t.Errorf("%T with %s %s breaks %v, proven: %v", m, c.field, c.what, found, proven)
			}
			note(seen, c.field, found)
		}
	}
	for field, rules := range s.fieldRules() {
		for _, rule := range rules {
			name := string(field) + " " + rule
			if implied := slices.Contains(s.Implied, name); seen[name] == implied {
				t.Errorf("a message breaks %s alone: %v, want %v", name, seen[name], !implied)
			}
		}
	}
}

// note takes down which rule of a field is broken. An unset field may break rules of its message as well.
func note(seen map[string]bool, field protoreflect.FullName, found []string) {
	for _, violation := range found {
		rule := strings.TrimSuffix(last(violation), "_empty")
		if len(found) == 1 || rule == "required" {
			seen[string(field)+" "+rule] = true
		}
	}
}

// changesOf are the changes to a message and to those in it, in lists to the first and the last.
func (s Suite) changesOf(m protoreflect.Message, reach func(root protoreflect.Message) protoreflect.Message) (all []change) {
	for _, f := range fieldsOf(m.Descriptor()) {
		if rulesOf(f).GetIgnore() == validate.Ignore_IGNORE_ALWAYS {
			continue
		}
		values := valuesFor(m, f)
		for _, what := range slices.Sorted(maps.Keys(values)) {
			all = append(all, change{f.FullName(), m.Has(f), what, func(root protoreflect.Message) {
				if v := values[what]; v.IsValid() {
					reach(root).Set(f, v)
				} else {
					reach(root).Clear(f)
				}
			}})
		}
		all = append(all, s.changesWithin(m, f, reach)...)
	}
	return all
}

func (s Suite) changesWithin(m protoreflect.Message, f protoreflect.FieldDescriptor, reach func(protoreflect.Message) protoreflect.Message) (all []change) {
	switch {
	case !s.ours(f) || !m.Has(f):
		return nil
	case !f.IsList():
		return s.changesOf(m.Get(f).Message(), func(root protoreflect.Message) protoreflect.Message { return reach(root).Mutable(f).Message() })
	}
	list := m.Get(f).List()
	for _, i := range slices.Compact([]int{0, list.Len() - 1}) {
		all = append(all, s.changesOf(list.Get(i).Message(), func(root protoreflect.Message) protoreflect.Message {
			return reach(root).Mutable(f).List().Get(i).Message()
		})...)
	}
	return all
}

// fieldRules are the rules of all fields in the full messages that are not ignored, by the ids of their
// violations.
func (s Suite) fieldRules() map[protoreflect.FullName][]string {
	found := map[protoreflect.FullName][]string{}
	var look func(d protoreflect.MessageDescriptor)
	look = func(d protoreflect.MessageDescriptor) {
		for _, f := range fieldsOf(d) {
			rules := rulesOf(f)
			if _, done := found[f.FullName()]; done || rules.GetIgnore() == validate.Ignore_IGNORE_ALWAYS {
				continue
			}
			found[f.FullName()] = idsOf(rules)
			if s.ours(f) {
				look(f.Message())
			}
		}
	}
	for _, m := range s.Full() {
		look(m.ProtoReflect().Descriptor())
	}
	return found
}

// idsOf names the rules of a field. One that violations name otherwise stands out, since nothing breaks it.
func idsOf(rules *validate.FieldRules) (ids []string) {
	if rules.GetRequired() {
		ids = []string{"required"}
	}
	for _, part := range []*validate.FieldRules{rules, rules.GetRepeated().GetItems(), rules.GetMap().GetKeys(), rules.GetMap().GetValues()} {
		for _, r := range part.GetCel() {
			ids = append(ids, r.GetId())
		}
		part.ProtoReflect().Range(func(kind protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case kind.Name() == "required", kind.Name() == "ignore", kind.Name() == "cel":
			case kind.Message() == nil, kind.IsList():
				ids = append(ids, string(kind.Name()))
			default:
				ids = append(ids, idsOfKind(string(kind.Name()), v.Message())...)
			}
			return true
		})
	}
	return ids
}

// idsOfKind are those of the rules for one kind of value. Two limits are one rule.
func idsOfKind(kind string, rules protoreflect.Message) (ids []string) {
	limits := ""
	for _, rule := range fieldsOf(rules.Descriptor()) {
		switch name := string(rule.Name()); {
		case !rules.Has(rule) || rule.Message() != nil && kind != "duration":
		case slices.Contains([]string{"gt", "gte"}, name):
			limits = name + "_" + limits
		case slices.Contains([]string{"lt", "lte"}, name):
			limits += name
		default:
			ids = append(ids, fmt.Sprintf("%s.%s", kind, name))
		}
	}
	if limits != "" {
		ids = append(ids, kind+"."+strings.TrimSuffix(limits, "_"))
	}
	return ids
}
