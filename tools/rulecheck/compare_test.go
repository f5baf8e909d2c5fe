package main

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// shapes has what the contract has none of today: a oneof, and a message in a message. RULES stand in for theirs.
const shapes = `file {
  name: "kyc/v1/shapes.proto" package: "kyc.v1" syntax: "proto3"
  message_type {
    name: "Outer"
    field { name: "a" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 }
    field { name: "b" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 }
    field { name: "kind" number: 3 type: TYPE_ENUM type_name: ".kyc.v1.Kind" label: LABEL_REPEATED }
    oneof_decl { name: "one" options { [buf.validate.oneof] { ONE } } }
    nested_type {
      name: "Inner"
      field { name: "c" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL options { [buf.validate.field] { INNER } } }
      NEW
    }
    options { [buf.validate.message] { OUTER } }
  }
  enum_type { name: "Kind" value { name: "KIND_UNSPECIFIED" number: 0 } }
}`

// TestCompare: places of rules beside the fields of a message.
func TestCompare(t *testing.T) {
	const field = `field { name: "d" number: 2 type: TYPE_ENUM type_name: ".kyc.v1.Kind" label: LABEL_REPEATED options { [buf.validate.field] { RULES } } }`
	for _, c := range []struct{ name, where, was, is, refused string }{
		{"a oneof that must be set", "ONE", "", "required: true", "kyc.v1.Outer.one required"},
		{"a oneof that had to be set", "ONE", "required: true", "", ""},
		{"a rule of an inner message", "INNER", "string {max_len: 5}", "string {max_len: 4}", "kyc.v1.Outer.Inner.c string.max_len"},
		{"at most one of two fields", "OUTER", "", "oneof {fields: ['a', 'b']}", "kyc.v1.Outer oneof"},
		{"an expression without an id", "OUTER", "", "cel_expression: 'this.a != \"\"'", "kyc.v1.Outer cel_expression"},
		{"a new field of a closed enum", "NEW", "", strings.Replace(field, "RULES", "repeated {items {enum {in: [1]}}}", 1),
			"kyc.v1.Outer.Inner.d repeated.items.enum.in"},
		{"a new field that must have an item", "NEW", "", strings.Replace(field, "RULES", "repeated {min_items: 1}", 1),
			"kyc.v1.Outer.Inner.d repeated.min_items"},
		{"a new field that must have an item if any", "NEW", "", strings.Replace(field, "RULES", "repeated {min_items: 1} ignore: IGNORE_IF_ZERO_VALUE", 1), ""},
	} {
		found, err := compare(filesWith(t, c.where, c.was), filesWith(t, c.where, c.is), "kyc")
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var refused []string
		for _, f := range found {
			refused = append(refused, string(f.at.FullName())+" "+f.rule)
		}
		if got := strings.Join(refused, ", "); got != c.refused {
			t.Errorf("%s: refused %q, expected %q", c.name, got, c.refused)
		}
	}
}

// TestNothingToCompareIsAnError: a check that looks at no file passes everything.
func TestNothingToCompareIsAnError(t *testing.T) {
	files := filesWith(t, "", "")
	if found, err := compare(files, files, "kycbridge"); err == nil {
		t.Errorf("no file of the package, and no error: %v", found)
	}
}

// filesWith are shapes with rules, or a field, in one place.
func filesWith(t *testing.T, where, what string) *protoregistry.Files {
	t.Helper()
	text := shapes
	for _, place := range []string{"ONE", "INNER", "OUTER", "NEW"} {
		in := ""
		if place == where {
			in = what
		}
		text = strings.Replace(text, " "+place, " "+in, 1)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := prototext.Unmarshal([]byte(text), set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	return files
}
