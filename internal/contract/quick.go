package contract

import (
	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// quick passes over fields that are surely sound, so that protovalidate looks only at the others:
// it evaluates the rules of list items and map entries as CEL, and every pattern as a regular
// expression, empty fields included, which costs many times what the rules themselves ask for.
//
// It refuses nothing. A field that it does not find sound, or whose rules it does not know, is
// protovalidate's to judge, and so is the message that it is in. It is built from the rules of the
// contract at start, and only read afterwards.
type quick map[protoreflect.FieldDescriptor]sound

// sound says of a field whether it keeps its rules for certain.
type sound struct {
	empty bool // it does where it is not set
	check      // where it is; nil: always
	parts      // of a list or map, what check asks for
}

// newQuick looks at the fields of these messages and of all below them.
func newQuick(messages []proto.Message) quick {
	q, seen := quick{}, map[protoreflect.MessageDescriptor]bool{}
	for _, m := range messages {
		q.learn(m.ProtoReflect().Descriptor(), seen)
	}
	return q
}

func (q quick) learn(d protoreflect.MessageDescriptor, seen map[protoreflect.MessageDescriptor]bool) {
	if seen[d] {
		return
	}
	seen[d] = true
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if f.Message() != nil {
			q.learn(f.Message(), seen)
		}
		if s, ok := q.of(f); ok {
			q[f] = s
		}
	}
}

// ShouldValidate makes quick a protovalidate.Filter.
func (q quick) ShouldValidate(m protoreflect.Message, d protoreflect.Descriptor) bool {
	f, ok := d.(protoreflect.FieldDescriptor)
	if !ok {
		return true
	}
	s, ok := q[f]
	return !ok || !s.holds(m, f)
}

func (s sound) holds(m protoreflect.Message, f protoreflect.FieldDescriptor) bool {
	if !m.Has(f) {
		return s.empty
	}
	return s.check == nil || s.check(m.Get(f))
}

// of reads the rules of a field; false where there is one that is not known here.
func (q quick) of(f protoreflect.FieldDescriptor) (s sound, known bool) {
	rules := &validate.FieldRules{}
	if set, ok := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules); ok && set != nil {
		rules = proto.CloneOf(set)
	}
	required, optional := rules.GetRequired(), f.HasPresence() || rules.GetIgnore() == validate.Ignore_IGNORE_IF_ZERO_VALUE
	rules.ClearRequired()
	if optional {
		rules.ClearIgnore()
	}
	switch {
	case f.IsMap():
		s.parts, known = q.mapParts(f, rules)
		s.check = s.pairs
	case f.IsList():
		s.parts, known = q.listParts(f, rules)
		s.check = s.list
	case f.Message() != nil:
		s.check, known = q.messageCheck(f.Message(), rules)
	default:
		s.check, known = scalarCheck(f.Kind(), rules)
	}
	s.empty = known && !required && (optional || s.check == nil || s.check(f.Default()))
	return s, known
}

// messageCheck knows only messages whose rules, of all fields and as a whole, are all known.
func (q quick) messageCheck(d protoreflect.MessageDescriptor, rules *validate.FieldRules) (check, bool) {
	whole, known := wholeCheck(d)
	if !known || proto.Size(rules) > 0 || hasOneofs(d) {
		return nil, false
	}
	var fields []knownField
	inGo := goFieldsOf(d)
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if f.Message() == d {
			return nil, false
		}
		s, ok := q.of(f)
		if !ok {
			return nil, false
		}
		if s.check != nil || !s.empty {
			fields = append(fields, knownField{f, s, inGo.index[f.Number()], inGo.kind(f)})
		}
	}
	return func(v protoreflect.Value) bool {
		m := v.Message()
		s := inGo.of(m)
		for i := range fields {
			if !fields[i].keeps(m, s) {
				return false
			}
		}
		for _, holds := range whole {
			if !holds(m) {
				return false
			}
		}
		return true
	}, true
}

// hasOneofs does not count those that stand for a field with presence.
func hasOneofs(d protoreflect.MessageDescriptor) bool {
	for i := range d.Oneofs().Len() {
		if !d.Oneofs().Get(i).IsSynthetic() {
			return true
		}
	}
	return false
}

// validator is protovalidate's with the quick look in front.
type validator struct {
	protovalidate.Validator
	quick protovalidate.ValidationOption
	whole map[protoreflect.MessageDescriptor]check // for messages whose rules are all known
}

func newValidator(v protovalidate.Validator, messages []proto.Message) validator {
	q := newQuick(messages)
	out := validator{v, protovalidate.WithFilter(q), map[protoreflect.MessageDescriptor]check{}}
	for _, m := range messages {
		d := m.ProtoReflect().Descriptor()
		if sound, known := q.messageCheck(d, nil); known {
			out.whole[d] = sound
		}
	}
	return out
}

// Validate implements protovalidate.Validator.
func (v validator) Validate(m proto.Message, o ...protovalidate.ValidationOption) error {
	if len(o) > 0 {
		return v.Validator.Validate(m, o...)
	}
	if m != nil {
		r := m.ProtoReflect()
		if sound := v.whole[r.Descriptor()]; sound != nil && sound(protoreflect.ValueOfMessage(r)) {
			return nil
		}
	}
	return v.Validator.Validate(m, v.quick)
}
