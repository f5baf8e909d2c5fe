package main

import (
	"fmt"
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/config/rules"
)

// document renders the whole reference: the settings, and the rules that a configuration is held against.
func document(root protoreflect.MessageDescriptor, whole []rules.Rule) string {
	var b strings.Builder
	file := root.ParentFile()
	fmt.Fprintf(&b, "<!-- Written by `make proto` from proto/%s and internal/config/rules; change it there. -->\n\n# Configuration\n\n", file.Path())
	fmt.Fprintf(&b, "%s\n", packageComment(file))
	section(&b, root, "")
	wholeRules(&b, whole)
	settingRules(&b, root)
	return b.String()
}

// section renders one message and, after it, the messages below it. path is
// where its settings stand in the file.
func section(b *strings.Builder, m protoreflect.MessageDescriptor, path string) {
	if path != "" {
		fmt.Fprintf(b, "\n## `%s`\n\n%s\n", path, comment(m))
	}
	b.WriteString("\n| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |\n")
	for i := range m.Fields().Len() {
		row(b, m.Fields().Get(i))
	}
	if rules := ruleTexts(m); len(rules) > 0 {
		b.WriteString("\nChecked:\n\n")
		for _, rule := range rules {
			fmt.Fprintf(b, "* %s\n", rule)
		}
	}
	for _, enum := range enums(m) {
		enumValues(b, enum)
	}
	for i := range m.Fields().Len() {
		if f := m.Fields().Get(i); isSection(f) {
			section(b, f.Message(), join(path, f))
		}
	}
}

func row(b *strings.Builder, f protoreflect.FieldDescriptor) {
	meaning, standard := splitDefault(comment(f))
	for _, rule := range fieldRuleTexts(f) {
		meaning += " " + strings.ToUpper(rule[:1]) + rule[1:] + "."
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", f.Name(), typeName(f), cell(standard), cell(meaning))
}

// cell keeps text inside a table cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// enums gives the enums of a message's fields, each once.
func enums(m protoreflect.MessageDescriptor) []protoreflect.EnumDescriptor {
	var found []protoreflect.EnumDescriptor
	for i := range m.Fields().Len() {
		if e := m.Fields().Get(i).Enum(); e != nil && !slices.Contains(found, e) {
			found = append(found, e)
		}
	}
	return found
}

func enumValues(b *strings.Builder, e protoreflect.EnumDescriptor) {
	fmt.Fprintf(b, "\n%s\n\n", strings.TrimSuffix(comment(e), ".")+":")
	for i := range e.Values().Len() {
		if v := e.Values().Get(i); v.Number() != 0 {
			fmt.Fprintf(b, "* `%s`: %s\n", v.Name(), comment(v))
		}
	}
}

// isSection reports whether a field is a part of the file with settings of its
// own, and not a duration or a time.
func isSection(f protoreflect.FieldDescriptor) bool {
	return f.Kind() == protoreflect.MessageKind && f.Message().ParentFile().Package() == f.ParentFile().Package()
}

func join(path string, f protoreflect.FieldDescriptor) string {
	name := string(f.Name())
	if f.IsList() {
		name += "[]"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

func typeName(f protoreflect.FieldDescriptor) string {
	name := f.Kind().String()
	switch f.Kind() {
	case protoreflect.MessageKind:
		name = strings.ToLower(string(f.Message().Name()))
		if isSection(f) {
			name = "section"
		}
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		name = "number"
	case protoreflect.BoolKind:
		name = "true or false"
	}
	if f.IsList() {
		return "list of " + name + "s"
	}
	return name
}

// ruleTexts gives what is checked across the fields of a message.
func ruleTexts(m protoreflect.MessageDescriptor) []string { return texts(messageRules(m)) }

// fieldRuleTexts gives what is checked on a field, or on each item of a list.
func fieldRuleTexts(f protoreflect.FieldDescriptor) []string { return texts(fieldRules(f)) }

func texts(rules []*validate.Rule) []string {
	var texts []string
	for _, rule := range rules {
		texts = append(texts, rule.GetMessage())
	}
	return texts
}
