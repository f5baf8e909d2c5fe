package main

import (
	"fmt"
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// urn names a version of a message's schema: kyc.v2 has another. Events carry it as `ce_dataschema`.
const urn = "urn:kycbridge:"

// builder collects the messages and enums that a schema refers to.
type builder struct {
	root protoreflect.FullName
	seen map[protoreflect.FullName]bool
	defs members
}

// document is the schema of one message, with all that it refers to below $defs.
func document(message protoreflect.MessageDescriptor) (*node, error) {
	b := &builder{root: message.FullName(), seen: map[protoreflect.FullName]bool{}}
	root, err := b.message(message)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(b.defs, func(x, y member) int { return strings.Compare(x.name, y.name) })
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.ID = urn + string(message.FullName())
	root.Defs = b.defs
	return root, nil
}

func (b *builder) message(m protoreflect.MessageDescriptor) (*node, error) {
	n := &node{Type: "object", Title: string(m.Name()), Description: comment(m), Comment: unsaid(m)}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		if f.ContainingOneof() != nil && !f.HasOptionalKeyword() {
			return nil, fmt.Errorf("%s: a oneof: teach tools/jsonschema to say it", f.FullName())
		}
		value, required, err := b.field(f)
		if err != nil {
			return nil, err
		}
		value.Description = comment(f)
		n.Properties = append(n.Properties, member{f.JSONName(), value})
		if required {
			n.Required = append(n.Required, f.JSONName())
		}
	}
	return n, nil
}

// refer gives a reference to a message or an enum, which it adds when it is the first to do so.
func (b *builder) refer(d protoreflect.Descriptor) (*node, error) {
	name := d.FullName()
	if name == b.root {
		return &node{Ref: "#"}, nil
	}
	ref := &node{Ref: "#/$defs/" + string(name)}
	if b.seen[name] {
		return ref, nil
	}
	b.seen[name] = true
	var def *node
	var err error
	switch d := d.(type) {
	case protoreflect.EnumDescriptor:
		def = enum(d)
	case protoreflect.MessageDescriptor:
		def, err = b.message(d)
	}
	b.defs = append(b.defs, member{string(name), def})
	return ref, err
}

// enum is open: a newer version may have a word that this one does not know, which comes as text, or as a number
// from those who do not know it either. The known words are examples.
func enum(e protoreflect.EnumDescriptor) *node {
	n := &node{Title: string(e.Name()), AnyOf: []*node{{Type: "string"}, {Type: "integer"}}}
	text := []string{comment(e), "A word or number that is not listed is to be treated as the first."}
	for i := range e.Values().Len() {
		value := e.Values().Get(i)
		n.Examples = append(n.Examples, string(value.Name()))
		text = append(text, string(value.Name())+": "+comment(value))
	}
	n.Description = strings.Join(text, "\n\n")
	return n
}

// unsaid lists the rules between fields, which stay with protovalidate.
func unsaid(m protoreflect.MessageDescriptor) string {
	rules, _ := proto.GetExtension(m.Options(), validate.E_Message).(*validate.MessageRules)
	var list []string
	for _, rule := range rules.GetCel() {
		list = append(list, rule.GetMessage())
	}
	if len(list) == 0 {
		return ""
	}
	return "Rules that are not said here: " + strings.Join(list, "; ")
}

// comment is what stands above a declaration, each paragraph in one line.
func comment(d protoreflect.Descriptor) string {
	text := d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments
	var paragraphs []string
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		paragraphs = append(paragraphs, strings.Join(strings.Fields(paragraph), " "))
	}
	return strings.TrimSpace(strings.Join(paragraphs, "\n\n"))
}
