package main

import (
	"fmt"
	"regexp"
	"slices"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// uuid is the pattern of protovalidate's rule, for validators that take formats for annotations.
const uuid = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"

// encoded is base64 as protobuf's JSON mapping writes it.
const encoded = "^[A-Za-z0-9+/]*={0,2}$"

// foreignSyntax is what RE2 knows and JSON Schema's regular expressions do not, or not without a flag.
var foreignSyntax = regexp.MustCompile(`\(\?|\\[AzQEpPC]|\[\[:`)

// known refuses rules that are not on the list: none may be left out unseen.
func known(f protoreflect.FieldDescriptor, rules proto.Message, names ...string) (err error) {
	if rules == nil || !rules.ProtoReflect().IsValid() {
		return nil
	}
	rules.ProtoReflect().Range(func(rule protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if !slices.Contains(names, string(rule.Name())) {
			err = fmt.Errorf("%s has the rule %s: teach tools/jsonschema to say it", f.FullName(), rule.FullName())
		}
		return err == nil
	})
	return err
}

func text(f protoreflect.FieldDescriptor, rules *validate.StringRules) (*node, error) {
	n := &node{Type: "string"}
	if rules == nil {
		return n, nil
	}
	n.MinLength, n.MaxLength, n.Pattern = rules.MinLen, rules.MaxLen, rules.GetPattern()
	if foreignSyntax.MatchString(n.Pattern) {
		return nil, fmt.Errorf("%s: other languages read the pattern %q differently, or not at all", f.FullName(), n.Pattern)
	}
	if rules.GetUuid() {
		if n.Pattern != "" {
			return nil, fmt.Errorf("%s has uuid and a pattern: give one", f.FullName())
		}
		n.Format, n.Pattern = "uuid", uuid
	}
	return n, known(f, rules, "min_len", "max_len", "pattern", "uuid")
}

func base64(f protoreflect.FieldDescriptor, rules *validate.BytesRules) (*node, error) {
	n := &node{Type: "string", ContentEncoding: "base64", Pattern: encoded}
	if rules.GetLen() > 0 {
		n.MinLength = ptr((rules.GetLen() + 2) / 3 * 4)
		n.MaxLength = n.MinLength
	}
	return n, known(f, rules, "len")
}

// filled holds a field that is always written to a value that is not the empty one.
func filled(f protoreflect.FieldDescriptor, n *node) error {
	switch {
	case f.Enum() != nil:
		n.Not = &node{Enum: []any{string(f.Enum().Values().ByNumber(0).Name()), 0}}
	case n.Type == "string" && f.Kind() != protoreflect.Int64Kind:
		if n.MinLength == nil {
			n.MinLength = ptr(uint64(1))
		}
	case n.Type == "array":
		if n.MinItems == nil {
			n.MinItems = ptr(uint64(1))
		}
	default:
		return fmt.Errorf("%s is %s and required: teach tools/jsonschema to say it", f.FullName(), f.Kind())
	}
	return nil
}

// orEmpty lets the empty text pass, too.
func orEmpty(f protoreflect.FieldDescriptor, n *node) (*node, error) {
	if n.Type != "string" || f.Kind() == protoreflect.Int64Kind {
		return nil, fmt.Errorf("%s is %s and ignored where it is zero: teach tools/jsonschema to say it", f.FullName(), f.Kind())
	}
	return &node{AnyOf: []*node{{Type: "string", MaxLength: ptr(uint64(0))}, n}}, nil
}

// refusesEmpty says whether the empty value, as which a field counts that is left out, breaks the field's rules.
func refusesEmpty(f protoreflect.FieldDescriptor, n *node) bool {
	switch {
	case f.IsList():
		return n.MinItems != nil && *n.MinItems > 0
	case f.IsMap(), f.Kind() == protoreflect.Int64Kind: // with no rule that an empty map or 0 breaks
		return false
	case n.Type == "integer":
		return *n.Minimum > 0
	case n.Type == "string":
		return n.MinLength != nil && *n.MinLength > 0 || n.Pattern != "" && !regexp.MustCompile(n.Pattern).MatchString("")
	}
	return false
}
