package main

import (
	"fmt"
	"math"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// moment is what protobuf's JSON mapping makes of a Timestamp. Validators that take formats for annotations have
// the pattern.
const moment = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$`

// field gives the schema of a field, and whether a message without it is invalid: where the rules say so, and
// where a field that is left out stands for an empty value that they refuse.
func (b *builder) field(f protoreflect.FieldDescriptor) (n *node, required bool, err error) {
	rules, _ := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules)
	if rules.GetIgnore() == validate.Ignore_IGNORE_ALWAYS {
		n, err := unruled(f)
		return n, false, err
	}
	if err := known(f, rules, "required", "ignore", "string", "bytes", "int32", "int64", "repeated", "map"); err != nil {
		return nil, false, err
	}
	switch {
	case f.IsMap():
		n, err = b.mapping(f, rules.GetMap())
	case f.IsList():
		n, err = b.list(f, rules.GetRepeated())
	default:
		n, err = b.single(f, rules)
	}
	if err != nil || f.HasPresence() {
		return n, rules.GetRequired(), err
	}
	return alwaysWritten(f, rules, n)
}

// alwaysWritten finishes a field that is written also where it is empty.
func alwaysWritten(f protoreflect.FieldDescriptor, rules *validate.FieldRules, n *node) (_ *node, required bool, err error) {
	switch {
	case rules.GetRequired():
		return n, true, filled(f, n)
	case rules.GetIgnore() == validate.Ignore_IGNORE_IF_ZERO_VALUE:
		n, err = orEmpty(f, n)
		return n, false, err
	}
	return n, refusesEmpty(f, n), nil
}

// unruled is a field that may hold what breaks its message's own rules.
func unruled(f protoreflect.FieldDescriptor) (*node, error) {
	if f.Message() == nil || f.IsList() || f.IsMap() {
		return nil, fmt.Errorf("%s: IGNORE_ALWAYS on what is not one message: teach tools/jsonschema to say it", f.FullName())
	}
	return &node{Type: "object"}, nil
}

func (b *builder) list(f protoreflect.FieldDescriptor, rules *validate.RepeatedRules) (*node, error) {
	if err := known(f, rules, "min_items", "max_items", "items"); err != nil {
		return nil, err
	}
	items, err := b.element(f, rules.GetItems())
	n := &node{Type: "array", Items: items}
	if rules != nil {
		n.MinItems, n.MaxItems = rules.MinItems, rules.MaxItems
	}
	return n, err
}

func (b *builder) mapping(f protoreflect.FieldDescriptor, rules *validate.MapRules) (*node, error) {
	if err := known(f, rules, "max_pairs", "keys", "values"); err != nil {
		return nil, err
	}
	names, err := b.element(f.MapKey(), rules.GetKeys())
	if err != nil {
		return nil, err
	}
	values, err := b.element(f.MapValue(), rules.GetValues())
	n := &node{Type: "object", PropertyNames: names, AdditionalProperties: values}
	if rules != nil {
		n.MaxProperties = rules.MaxPairs
	}
	return n, err
}

// element is a value in a list or a map.
func (b *builder) element(f protoreflect.FieldDescriptor, rules *validate.FieldRules) (*node, error) {
	if err := known(f, rules, "string", "bytes", "int32", "int64"); err != nil {
		return nil, err
	}
	return b.single(f, rules)
}

// single is a value that is neither a list nor a map.
func (b *builder) single(f protoreflect.FieldDescriptor, rules *validate.FieldRules) (*node, error) {
	switch f.Kind() {
	case protoreflect.StringKind:
		return text(f, rules.GetString())
	case protoreflect.BytesKind:
		return base64(f, rules.GetBytes())
	case protoreflect.BoolKind:
		return &node{Type: "boolean"}, nil
	case protoreflect.Int32Kind:
		return number(f, rules.GetInt32())
	case protoreflect.Int64Kind:
		return digits(f, rules.GetInt64())
	case protoreflect.EnumKind:
		return b.refer(f.Enum())
	case protoreflect.MessageKind:
		if f.Message().FullName() == "google.protobuf.Timestamp" {
			return &node{Type: "string", Format: "date-time", Pattern: moment}, nil
		}
		return b.refer(f.Message())
	}
	return nil, fmt.Errorf("%s is %s: teach tools/jsonschema to say it", f.FullName(), f.Kind())
}

func number(f protoreflect.FieldDescriptor, rules *validate.Int32Rules) (*node, error) {
	low := int64(math.MinInt32)
	if rules.GetGreaterThan() != nil {
		low = int64(rules.GetGte())
	}
	return &node{Type: "integer", Minimum: &low, Maximum: ptr(int64(math.MaxInt32))}, known(f, rules, "gte")
}

// digits is an int64, which JSON's readers would round: it is text.
func digits(f protoreflect.FieldDescriptor, rules *validate.Int64Rules) (*node, error) {
	pattern := "^(0|-?[1-9][0-9]{0,18})$"
	if rules.GetGreaterThan() != nil {
		if rules.GetGte() != 0 {
			return nil, fmt.Errorf("%s: int64.gte is %d, and only 0 can be said of text", f.FullName(), rules.GetGte())
		}
		pattern = "^(0|[1-9][0-9]{0,18})$"
	}
	return &node{Type: "string", Pattern: pattern}, known(f, rules, "gte")
}

func ptr[T any](value T) *T { return &value }
