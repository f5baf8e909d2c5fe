package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kycbridge/kycbridge/internal/contract"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// always are the enums that carry a message's meaning: they are said even where
// they are unspecified.
var always = []protoreflect.Name{"transition", "result", "status", "state", "change"}

// meaning says what an event says, in the order of the contract: enums, vendor
// words and counts with their values, texts and times by their names.
func meaning(m protoreflect.Message) string {
	var words []string
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Name() == "metadata" || !m.Has(f) && (f.Kind() != protoreflect.EnumKind || !slices.Contains(always, f.Name())) {
			continue
		}
		words = append(words, field(f, m.Get(f)))
	}
	return strings.Join(words, " ")
}

func field(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	name := string(f.Name())
	switch {
	case name == "findings":
		return name + "=" + findings(v.List())
	case f.IsList():
		return name
	}
	switch f.Kind() {
	case protoreflect.EnumKind:
		return name + "=" + contract.EnumWord(f.Enum(), v.Enum())
	case protoreflect.Int32Kind:
		return fmt.Sprint(name, "=", v.Int())
	case protoreflect.StringKind:
		if strings.HasPrefix(name, "vendor_") {
			return name + `="` + short(v.String()) + `"`
		}
	}
	return name
}

// findings are an AML event's, category:status each.
func findings(list protoreflect.List) string {
	var all []string
	for i := range list.Len() {
		m := list.Get(i).Message()
		var words []string
		for _, name := range []protoreflect.Name{"category", "status"} {
			f := m.Descriptor().Fields().ByName(name)
			words = append(words, contract.EnumWord(f.Enum(), m.Get(f).Enum()))
		}
		all = append(all, strings.Join(words, ":"))
	}
	return strings.Join(all, ",")
}

// maxWord is how much of a vendor's word the page shows, in characters.
const maxWord = 48

func short(word string) string {
	if runes := []rune(word); len(runes) > maxWord {
		return string(runes[:maxWord]) + "…"
	}
	return word
}

// code is text as a code span that stands in a table.
func code(text string) string {
	if text == "" {
		return "–"
	}
	return "`" + strings.NewReplacer("`", "'", "|", `\|`).Replace(text) + "`"
}

// cell is prose that stands in a table.
func cell(text string) string {
	if text == "" {
		return "–"
	}
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text)
}
