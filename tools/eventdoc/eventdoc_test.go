package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
)

// TestPageIsCurrent holds the page in the tree against what the contract and the goldens give now.
func TestPageIsCurrent(t *testing.T) {
	if err := run("../..", true); err != nil {
		t.Error(err)
	}
}

func pageText(t *testing.T) string {
	t.Helper()
	page, err := contractPage()
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// TestNothingIsLeftOut: each message, field, enum and value of the contract is on the page once, and each rule
// across fields.
func TestNothingIsLeftOut(t *testing.T) {
	page := pageText(t)
	once := func(line string) {
		t.Helper()
		if n := strings.Count(page, line); n != 1 {
			t.Errorf("the page has %q %d times, want once", strings.TrimSpace(line), n)
		}
	}
	for _, file := range schemas.DescriptorSet().File {
		if file.GetPackage() != "kyc.v1" {
			continue
		}
		for _, m := range file.MessageType {
			once("\n### " + m.GetName() + "\n")
			_, section, _ := strings.Cut(page, "\n### "+m.GetName()+"\n")
			section, _, _ = strings.Cut(section, "\n### ")
			for _, f := range m.Field {
				if !strings.Contains(section, "\n| `"+f.GetName()+"` ") {
					t.Errorf("the page has no field %s.%s", m.GetName(), f.GetName())
				}
			}
			rules, _ := proto.GetExtension(m.Options, validate.E_Message).(*validate.MessageRules)
			for _, rule := range rules.GetCel() {
				once("(`" + rule.GetId() + "`)\n")
			}
		}
		for _, e := range file.EnumType {
			once("\n### " + e.GetName() + "\n")
			for _, v := range e.Value {
				once("\n| `" + v.GetName() + "` |")
			}
		}
	}
}

// TestLinksLead: every link within the page has its heading.
func TestLinksLead(t *testing.T) {
	page := pageText(t)
	anchors := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(page, -1) {
		anchors[strings.ToLower(heading[1])] = true
	}
	for _, match := range regexp.MustCompile(`\]\(#([^)]+)\)`).FindAllStringSubmatch(page, -1) {
		if !anchors[match[1]] {
			t.Errorf("a link to #%s leads nowhere", match[1])
		}
	}
}

// TestExamples: each topic's message has an example that a consumer would accept.
func TestExamples(t *testing.T) {
	examples, err := makeExamples(catalog.All())
	if err != nil {
		t.Fatal(err)
	}
	rules := contract.NewValidator()
	for _, topic := range schemas.Topics() {
		m := topic.New()
		var line struct {
			Key     string
			Headers map[string]string
			Value   json.RawMessage
		}
		if err := json.Unmarshal([]byte(examples[m.ProtoReflect().Descriptor().FullName()].text), &line); err != nil {
			t.Errorf("the example of %s: %v", topic.Base, err)
			continue
		}
		if err := protojson.Unmarshal(line.Value, m); err != nil {
			t.Errorf("the value of the example of %s: %v", topic.Base, err)
		}
		if err := rules.Validate(m); err != nil {
			t.Errorf("the example of %s breaks a rule: %v", topic.Base, err)
		}
		if e, ok := m.(schemas.DomainEvent); ok && (line.Headers["ce_id"] != e.GetMetadata().GetEventId() || line.Key != e.GetMetadata().GetEndpoint()+"/"+line.Headers["ce_subject"]) {
			t.Errorf("the example of %s has the key %q and the headers %q", topic.Base, line.Key, line.Headers)
		}
	}
}

// field is a message's one field, with rules in protobuf's text format.
func field(t *testing.T, kind, rules string) protoreflect.FieldDescriptor {
	t.Helper()
	file := &descriptorpb.FileDescriptorProto{}
	text := `name: "x.proto" syntax: "proto3" message_type { name: "M" field { name: "f" number: 1 label: LABEL_OPTIONAL type: ` + kind +
		` options { [buf.validate.field] { ` + rules + ` } } } }`
	if err := prototext.Unmarshal([]byte(text), file); err != nil {
		t.Fatal(err)
	}
	d, err := protodesc.NewFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d.Messages().Get(0).Fields().Get(0)
}

func TestRulesInWords(t *testing.T) {
	for rules, want := range map[string]string{
		`required: true`: "Always set.",
		`string { min_len: 1 max_len: 64 pattern: "^[^\\r\\n]*$" }`:                            "At least 1 character; at most 64 characters; one line.",
		`string { pattern: "^a|b$" }`:                                                          "Matches `^a|b$`.",
		`ignore: IGNORE_IF_ZERO_VALUE bytes { len: 16 }`:                                       "Empty, or 16 bytes.",
		`ignore: IGNORE_ALWAYS`:                                                                "Its own rules are not applied.",
		`int32 { gte: 0 }`:                                                                     "At least 0.",
		`repeated { max_items: 3 items { string { uuid: true } } }`:                            "At most 3 items; each: a UUID.",
		`map { max_pairs: 2 keys { string { min_len: 2 } } values { string { max_len: 1 } } }`: "At most 2 entries; each key: at least 2 characters; each value: at most 1 character.",
	} {
		if got, err := fieldRules(field(t, "TYPE_STRING", rules)); err != nil || got != want {
			t.Errorf("%s is %q and %v, want %q", rules, got, err, want)
		}
	}
}

// TestNewRulesAreRefused: a rule that the page would leave out ends the program.
func TestNewRulesAreRefused(t *testing.T) {
	for _, rules := range []string{
		`string { prefix: "a" }`, `int32 { lt: 5 }`, `enum { defined_only: true }`, `repeated { items { string { email: true } } }`,
		`cel { id: "x" expression: "true" }`,
	} {
		if got, err := fieldRules(field(t, "TYPE_STRING", rules)); err == nil || !strings.Contains(err.Error(), "M.f") {
			t.Errorf("%s is %q and %v, want an error that names the field", rules, got, err)
		}
	}
}
