package main

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/kycbridge/kycbridge/schemas"
)

// sharedFile has what the messages share.
const sharedFile = "kyc/v1/event.proto"

const intro = `<!-- Written by ''make docs'' from proto/kyc/v1 and the goldens in providers/; change it there. -->

# Events

Every message of the contract, its fields and its enums, from the ''.proto'' files. [consuming.md](consuming.md)
says how to read them.

* A number after a field's name is its number on the wire. In JSON, names are in camelCase: ''eventId''.
* Enum values are written with the name of their enum: ''DECISION_APPROVED''. A value that you do not know is to be
  treated as the one with number 0.
* An empty text is "not given", and false is "not said to be so". A number marked optional is "the vendor does not
  say" when it is not set, which is another thing than 0.
* Rules hold for every event that is written; [protovalidate](https://protovalidate.com) checks them in your language
  too. A rule may be loosened, never tightened.
* An example is a record as ''kycbridge tail'' prints it, indented. It is made of the fixture that stands beside it,
  with an endpoint of the vendor's name in the sandbox.

| Topic | Message | |
| --- | --- | --- |
`

// document is the whole page.
func document(files *protoregistry.Files, topics []schemas.Topic, examples map[protoreflect.FullName]example) (string, error) {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(intro, "''", "`"))
	for _, t := range topics {
		file, err := fileOf(files, t)
		if err != nil {
			return "", err
		}
		m := file.Messages().Get(0)
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", t.Name(schemas.DefaultPrefix), linked(m.Name()), cell(firstSentence(comment(m))))
	}
	shared, err := files.FindFileByPath(sharedFile)
	if err != nil {
		return "", fmt.Errorf("the contract has no file %s: %w", sharedFile, err)
	}
	p := page{b: &b, examples: examples}
	p.write("Domain events", files, topics, func(t schemas.Topic) bool { return t.Domain })
	p.b.WriteString("\n## What they share\n")
	p.file(shared)
	p.write("What became of deliveries", files, topics, func(t schemas.Topic) bool { return !t.Domain })
	return b.String(), p.err
}

// page is one that is being written.
type page struct {
	b        *strings.Builder
	examples map[protoreflect.FullName]example
	done     []string // paths of files
	err      error    // the first
}

func (p *page) write(title string, files *protoregistry.Files, topics []schemas.Topic, which func(schemas.Topic) bool) {
	fmt.Fprintf(p.b, "\n## %s\n", title)
	for _, t := range topics {
		if file, err := fileOf(files, t); err == nil && which(t) && !slices.Contains(p.done, file.Path()) {
			p.done = append(p.done, file.Path())
			p.file(file)
		}
	}
}

func (p *page) file(file protoreflect.FileDescriptor) {
	for i := range file.Messages().Len() {
		p.message(file.Messages().Get(i))
	}
	for i := range file.Enums().Len() {
		p.enum(file.Enums().Get(i))
	}
}

func (p *page) message(m protoreflect.MessageDescriptor) {
	fmt.Fprintf(p.b, "\n### %s\n\n%s\n\n| Field | Type | Meaning | Rules |\n| --- | --- | --- | --- |\n", m.Name(), paragraphs(m))
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		rules, err := fieldRules(f)
		if err != nil && p.err == nil {
			p.err = err
		}
		fmt.Fprintf(p.b, "| `%s` %d | %s | %s | %s |\n", f.Name(), f.Number(), typeOf(f), cell(comment(f)), cell(rules))
	}
	rules, err := messageRules(m)
	if err != nil && p.err == nil {
		p.err = err
	}
	if len(rules) > 0 {
		fmt.Fprintf(p.b, "\nRules of the whole message:\n\n%s", strings.Join(rules, ""))
	}
	if e, ok := p.examples[m.FullName()]; ok {
		fmt.Fprintf(p.b, "\nExample, of %s:\n\n```json\n%s\n```\n", e.source, e.text)
	}
}

func (p *page) enum(e protoreflect.EnumDescriptor) {
	fmt.Fprintf(p.b, "\n### %s\n\n%s\n\n| Value | Number | Meaning |\n| --- | --- | --- |\n", e.Name(), paragraphs(e))
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		fmt.Fprintf(p.b, "| `%s` | %d | %s |\n", v.Name(), v.Number(), cell(comment(v)))
	}
}

// typeOf is a field's type, linked where it is one of ours.
func typeOf(f protoreflect.FieldDescriptor) string {
	if f.IsMap() {
		return fmt.Sprintf("map of %s to %s", f.MapKey().Kind(), f.MapValue().Kind())
	}
	name := f.Kind().String()
	switch {
	case f.Enum() != nil:
		name = linked(f.Enum().Name())
	case f.Message() != nil && f.Message().ParentFile().Package() == f.ParentFile().Package():
		name = linked(f.Message().Name())
	case f.Message() != nil:
		name = string(f.Message().Name())
	}
	switch {
	case f.IsList():
		return "list of " + name
	case f.HasOptionalKeyword():
		return "optional " + name
	}
	return name
}

func linked(name protoreflect.Name) string {
	return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(string(name)))
}

// comment is a descriptor's comment in one line.
func comment(d protoreflect.Descriptor) string {
	return strings.Join(strings.Fields(d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments), " ")
}

// paragraphs is a descriptor's comment as it is broken.
func paragraphs(d protoreflect.Descriptor) string {
	text := d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments
	return strings.ReplaceAll(strings.TrimSpace(text), "\n ", "\n")
}

func firstSentence(text string) string {
	if first, _, ok := strings.Cut(text, ". "); ok {
		return first + "."
	}
	return text
}

// cell keeps text inside a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
