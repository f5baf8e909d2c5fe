package main

import (
	"fmt"
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/config/rules"
)

const wholeText = `
## Rules of the whole file

A file that is valid in each of its settings can still open a door in silence. These rules look for that:
''kycbridge config check'' goes by all of them, and every start of ''ingest'', ''normalize'', ''hydrate'' and ''all''
by those about what it uses. A message names line and setting, and ends with the rule in brackets. What is about the
whole process counts as ENVIRONMENT_LIVE while one endpoint does.

| Rule | ENVIRONMENT_LIVE | ENVIRONMENT_SANDBOX | Why | Write instead |
| --- | --- | --- | --- | --- |
`

const settingText = `
## Rules of single settings

What breaks one of these is refused everywhere. A section that stands in several places has the same rules in each.

| Rule | Setting | What it demands |
| --- | --- | --- |
`

func wholeRules(b *strings.Builder, whole []rules.Rule) {
	b.WriteString(strings.ReplaceAll(wholeText, "''", "`"))
	for _, r := range whole {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", r.ID, r.Live, r.Sandbox, cell(r.Why), cell(r.Write))
	}
}

// settingRules lists each rule of the schema once, at the first place that has it.
func settingRules(b *strings.Builder, root protoreflect.MessageDescriptor) {
	b.WriteString(settingText)
	var seen []string
	row := func(path string, all []*validate.Rule) {
		for _, r := range all {
			if slices.Contains(seen, r.GetId()) {
				continue
			}
			seen = append(seen, r.GetId())
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", r.GetId(), path, cell(r.GetMessage()))
		}
	}
	var walk func(m protoreflect.MessageDescriptor, path string)
	walk = func(m protoreflect.MessageDescriptor, path string) {
		row(setting(path), messageRules(m))
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			row(setting(join(path, f)), fieldRules(f))
			if isSection(f) {
				walk(f.Message(), join(path, f))
			}
		}
	}
	walk(root, "")
}

// setting is a place in the file; the whole has no name.
func setting(path string) string {
	if path == "" {
		return "the file"
	}
	return "`" + path + "`"
}

// messageRules are those across the fields of a message.
func messageRules(m protoreflect.MessageDescriptor) []*validate.Rule {
	all, _ := proto.GetExtension(m.Options(), validate.E_Message).(*validate.MessageRules)
	return all.GetCel()
}

// fieldRules are those of a field, and of each item of a list.
func fieldRules(f protoreflect.FieldDescriptor) []*validate.Rule {
	all, _ := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules)
	return slices.Concat(all.GetCel(), all.GetRepeated().GetItems().GetCel())
}
