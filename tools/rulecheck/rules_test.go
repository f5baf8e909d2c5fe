package main

import (
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protoreflect"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// TestRules: each row is what a field's rules were, what they are, and the rules that are refused.
func TestRules(t *testing.T) {
	for _, c := range []struct{ was, is, refused string }{
		{"", "", ""},
		{"string {max_len: 5}", "string {max_len: 6}", ""},
		{"string {max_len: 5}", "", ""},
		{"string {max_len: 5}", "string {max_len: 4}", "string.max_len"},
		{"", "string {max_len: 5}", "string.max_len"},
		{"", "string {min_len: 0}", ""},
		{"", "string {min_len: 1}", "string.min_len"},
		{"string {min_len: 2}", "string {min_len: 1}", ""},
		{"bytes {len: 8}", "bytes {len: 9}", "bytes.len"},
		{"bytes {len: 8}", "bytes {}", ""},
		{"bytes {len: 8}", "bytes {min_len: 8}", "bytes.min_len"},
		{"string {pattern: 'a'}", "string {pattern: 'a'}", ""},
		{"string {pattern: 'a'}", "string {pattern: 'a|b'}", "string.pattern"},
		{"string {uuid: true}", "string {uuid: false}", ""},
		{"string {uuid: true}", "string {email: true}", "string.email"},
		{"", "string {uuid: true}", "string.uuid"},
		{"string {in: ['a', 'b']}", "string {in: ['c', 'b', 'a']}", ""},
		{"string {in: ['a', 'b']}", "string {in: ['a']}", "string.in"},
		{"", "string {in: ['a']}", "string.in"},
		{"string {not_in: ['a', 'b']}", "string {not_in: ['b']}", ""},
		{"string {not_in: ['a']}", "string {not_in: ['a', 'b']}", "string.not_in"},
		{"string {well_known_regex: KNOWN_REGEX_HTTP_HEADER_NAME strict: false}", "string {well_known_regex: KNOWN_REGEX_HTTP_HEADER_NAME}", "string.strict"},
		{"string {well_known_regex: KNOWN_REGEX_HTTP_HEADER_NAME}", "string {well_known_regex: KNOWN_REGEX_HTTP_HEADER_NAME strict: false}", ""},
		{"", "string {example: 'a'}", ""},
		{"string {const: 'a'}", "string {const: 'b'}", "string.const"},

		{"int32 {gte: 1 lte: 9}", "int32 {gte: 0 lte: 10}", ""},
		{"int32 {gte: 1 lte: 9}", "int32 {lte: 9}", ""},
		{"int32 {gte: 1}", "int32 {gt: 1}", "int32.gt"},
		{"int32 {gt: 1}", "int32 {gte: 1}", ""},
		{"int32 {lte: 9}", "int32 {lt: 9}", "int32.lt"},
		{"int32 {gte: 1}", "int32 {gte: 1 lte: 9}", "int32.lte"},
		{"int32 {gte: 9 lte: 1}", "int32 {gte: 9 lte: 1}", ""},
		{"int32 {gte: 9 lte: 1}", "int32 {gte: 9}", "int32.range"},
		{"int32 {gte: 9 lte: 1}", "int32 {gte: 0 lte: 1}", "int32.range"},
		{"int32 {gte: 9 lte: 1}", "", ""},
		{"double {lte: 0.5}", "double {lte: 0.25}", "double.lte"},
		{"", "double {finite: true}", "double.finite"},
		{"uint64 {gte: 3}", "uint64 {gte: 4}", "uint64.gte"},
		{"duration {lte {seconds: 5}}", "duration {lte {seconds: 5 nanos: 1}}", ""},
		{"duration {lte {seconds: 5 nanos: 1}}", "duration {lte {seconds: 5}}", "duration.lte"},
		{"timestamp {lt_now: true}", "timestamp {lt_now: true}", ""},
		{"", "timestamp {lt_now: true}", "timestamp.lt_now"},
		{"timestamp {lt_now: true}", "timestamp {gt_now: true}", "timestamp.gt_now"},
		{"timestamp {within {seconds: 5}}", "timestamp {within {seconds: 4}}", "timestamp.within"},

		{"repeated {max_items: 5 items {string {max_len: 5}}}", "repeated {max_items: 6 items {string {max_len: 6}}}", ""},
		{"repeated {max_items: 5}", "repeated {max_items: 5 unique: true}", "repeated.unique"},
		{"repeated {items {string {max_len: 5}}}", "repeated {items {string {max_len: 4}}}", "repeated.items.string.max_len"},
		{"", "map {max_pairs: 1}", "map.max_pairs"},
		{"map {keys {string {min_len: 1}} values {string {max_len: 2}}}", "map {keys {string {min_len: 2}} values {string {max_len: 1}}}",
			"map.keys.string.min_len map.values.string.max_len"},

		{"", "required: true", "required"},
		{"required: true", "required: false", ""},
		{"", "ignore: IGNORE_IF_ZERO_VALUE", ""},
		{"ignore: IGNORE_ALWAYS", "ignore: IGNORE_IF_ZERO_VALUE", "ignore"},
		{"ignore: IGNORE_IF_ZERO_VALUE", "", "ignore"},
		{"cel {id: 'a' expression: 'this > 1'}", "cel {id: 'b' message: 'm' expression: 'this > 1'}", ""},
		{"cel {id: 'a' expression: 'this > 1'}", "cel {id: 'a' expression: 'this > 2'}", "cel[a]"},
		{"", "cel {id: 'a' expression: 'this > 1'}", "cel[a]"},
		{"cel_expression: 'this > 1'", "cel_expression: 'this > 2'", "cel_expression"},
		{"cel_expression: 'this > 1'", "", ""},
		{"", "enum {not_in: [1]}", "enum.not_in"},
	} {
		at := (&kycv1.SessionEvent{}).ProtoReflect().Descriptor()
		var refused []string
		for _, f := range (differences{at: at}).compare(rules(t, c.was), rules(t, c.is)) {
			refused = append(refused, f.rule)
		}
		if got := strings.Join(refused, " "); got != c.refused {
			t.Errorf("was %q, is %q: refused %q, expected %q", c.was, c.is, got, c.refused)
		}
	}
}

// TestUnknownRulesAreCompared: rules of a newer protovalidate, or of one's own kind, may go and stay, not come.
func TestUnknownRulesAreCompared(t *testing.T) {
	at := (&kycv1.SessionEvent{}).ProtoReflect().Descriptor()
	plain, extended := rules(t, ""), rules(t, "")
	extended.SetUnknown([]byte{0xd2, 0x3e, 0})
	for _, c := range []struct {
		name    string
		was, is protoreflect.Message
		refused int
	}{{"comes", plain, extended, 1}, {"goes", extended, plain, 0}, {"stays", extended, extended, 0}} {
		if found := (differences{at: at}).compare(c.was, c.is); len(found) != c.refused {
			t.Errorf("an unknown rule %s: %d findings, expected %d", c.name, len(found), c.refused)
		}
	}
}

func rules(t *testing.T, text string) protoreflect.Message {
	t.Helper()
	r := &validate.FieldRules{}
	if err := prototext.Unmarshal([]byte(text), r); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return r.ProtoReflect()
}
