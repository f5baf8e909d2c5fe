package main

import (
	"fmt"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// patterns are those that a person need not decipher.
var patterns = map[string]string{
	`^[^\r\n]*$`:                             "one line",
	`^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}$`:   "a code: a letter or digit, then up to 127 of those and `_.:/-`",
	`^[0-9]{0,40}$`:                          "up to 40 digits",
	`^[a-z]{1,32}$`:                          "1 to 32 small letters",
	`^[A-Z]{1,16}$`:                          "1 to 16 capital letters",
	`^[a-z0-9-]{1,63}$`:                      "1 to 63 small letters, digits and `-`",
	`^[a-z0-9-]{0,63}$`:                      "up to 63 small letters, digits and `-`",
	`^(conflict|unconfirmed|unverified)$`:    "`conflict`, `unconfirmed` or `unverified`",
	`^[a-z0-9][a-z0-9_-]{0,62}$`:             "a small letter or digit, then up to 62 of those and `_-`",
	`^([a-z0-9][a-z0-9_-]{0,62})?$`:          "empty, or a small letter or digit, then up to 62 of those and `_-`",
	`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`:      "a letter or digit, then up to 62 of those and `._-`",
	`^([A-Za-z0-9][A-Za-z0-9._-]{0,62})?$`:   "empty, or a letter or digit, then up to 62 of those and `._-`",
	`^[a-z][a-z0-9_-]{0,31}=[^\r\n]{1,128}$`: "`name=value`, the name up to 32 small letters, digits and `_-`, the value one line of up to 128",
}

// fieldRules are those of a field in words; "" where there are none.
func fieldRules(f protoreflect.FieldDescriptor) (string, error) {
	rules, _ := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules)
	words, err := inWords(rules)
	if err != nil {
		return "", fmt.Errorf("%s: %w", f.FullName(), err)
	}
	if len(words) == 0 {
		return "", nil
	}
	text := joined(words, "; ")
	return strings.ToUpper(text[:1]) + text[1:] + ".", nil
}

// inWords says what the rules of a field, of an item, of a key or of a value demand.
func inWords(rules *validate.FieldRules) ([]string, error) {
	if rules == nil {
		return nil, nil
	}
	return gathered(rules.ProtoReflect(), func(fd protoreflect.FieldDescriptor, v protoreflect.Value) ([]string, error) {
		if fd.Message() != nil && !fd.IsList() {
			return ofType(fd.Name(), v.Message())
		}
		return ofField(fd, v)
	})
}

// gathered are the words for all that is set in a message of rules, in the order of its fields.
func gathered(rules protoreflect.Message, say func(protoreflect.FieldDescriptor, protoreflect.Value) ([]string, error)) (words []string, err error) {
	fields := rules.Descriptor().Fields()
	for i := range fields.Len() {
		if fd := fields.Get(i); rules.Has(fd) {
			more, err := say(fd, rules.Get(fd))
			if err != nil {
				return nil, err
			}
			words = append(words, more...)
		}
	}
	return words, nil
}

// ofField are the rules that do not go by the field's type.
func ofField(fd protoreflect.FieldDescriptor, v protoreflect.Value) ([]string, error) {
	switch {
	case fd.Name() == "required" && v.Bool():
		return []string{"always set"}, nil
	case fd.Name() == "ignore" && validate.Ignore(v.Enum()) == validate.Ignore_IGNORE_IF_ZERO_VALUE:
		return []string{emptyOr}, nil
	case fd.Name() == "ignore" && validate.Ignore(v.Enum()) == validate.Ignore_IGNORE_ALWAYS:
		return []string{"its own rules are not applied"}, nil
	}
	return nil, unknown(fd, v)
}

// ofType are the rules of a type, such as those of strings.
func ofType(name protoreflect.Name, rules protoreflect.Message) ([]string, error) {
	return gathered(rules, func(fd protoreflect.FieldDescriptor, v protoreflect.Value) ([]string, error) {
		return ofRule(string(name)+"."+string(fd.Name()), fd, v)
	})
}

func ofRule(name string, fd protoreflect.FieldDescriptor, v protoreflect.Value) ([]string, error) {
	switch name {
	case "string.uuid":
		return []string{"a UUID"}, nil
	case "string.min_len":
		return []string{fmt.Sprintf("at least %s", counted(v.Uint(), "character"))}, nil
	case "string.max_len":
		return []string{fmt.Sprintf("at most %s", counted(v.Uint(), "character"))}, nil
	case "string.pattern":
		if words, ok := patterns[v.String()]; ok {
			return []string{words}, nil
		}
		return []string{"matches `" + v.String() + "`"}, nil
	case "int32.gte", "int64.gte":
		return []string{fmt.Sprintf("at least %d", v.Int())}, nil
	case "bytes.len":
		return []string{counted(v.Uint(), "byte")}, nil
	case "map.max_pairs":
		return []string{fmt.Sprintf("at most %d entries", v.Uint())}, nil
	case "repeated.max_items":
		return []string{fmt.Sprintf("at most %s", counted(v.Uint(), "item"))}, nil
	case "map.keys":
		return nested("each key", v)
	case "map.values":
		return nested("each value", v)
	case "repeated.items":
		return nested("each", v)
	}
	return nil, unknown(fd, v)
}

func nested(what string, v protoreflect.Value) ([]string, error) {
	rules, _ := v.Message().Interface().(*validate.FieldRules)
	words, err := inWords(rules)
	return []string{what + ": " + joined(words, ", ")}, err
}

// emptyOr begins the rules of a field that hold only where it is set.
const emptyOr = "empty, or"

func joined(words []string, separator string) string {
	return strings.ReplaceAll(strings.Join(words, separator), emptyOr+separator, emptyOr+" ")
}

func counted(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func unknown(fd protoreflect.FieldDescriptor, v protoreflect.Value) error {
	return fmt.Errorf("the rule %s = %v is new to this program; teach it (tools/eventdoc/rules.go)", fd.FullName(), v)
}

// messageRules are those across the fields of a message, a line each.
func messageRules(m protoreflect.MessageDescriptor) ([]string, error) {
	rules, _ := proto.GetExtension(m.Options(), validate.E_Message).(*validate.MessageRules)
	var lines []string
	for _, rule := range rules.GetCel() {
		lines = append(lines, fmt.Sprintf("* %s (`%s`)\n", rule.GetMessage(), rule.GetId()))
	}
	if rest := proto.CloneOf(rules); rest != nil {
		if rest.Cel = nil; proto.Size(rest) > 0 {
			return nil, fmt.Errorf("%s: rules other than cel are new to this program: %v", m.FullName(), rest)
		}
	}
	return lines, nil
}
