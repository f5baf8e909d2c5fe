package main

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/schemas/export"
)

// protoHead begins the text of every payload. The rules of protovalidate stay in it as options; tools that
// know them need no file for it.
const protoHead = "syntax = \"proto3\";\n\npackage kyc.v1;\n\nimport \"google/protobuf/timestamp.proto\";\n"

// protoText is the source of a message and of all of the contract that it is made of, as one file without
// imports of ours and without comments: parsers of AsyncAPI documents follow no import.
func protoText(m protoreflect.MessageDescriptor) (string, error) {
	declared := declarations()
	text := protoHead
	for _, name := range reachable(m) {
		block, ok := declared[name]
		if !ok {
			return "", fmt.Errorf("%s is declared in no .proto file of the contract", name)
		}
		text += "\n" + block
	}
	return text, nil
}

// declarations are the top-level messages and enums of the contract by their short names.
func declarations() map[protoreflect.Name]string {
	found := map[protoreflect.Name]string{}
	for _, file := range export.Protos() {
		if !strings.HasPrefix(file.Path, "kyc/v1/") {
			continue
		}
		var name protoreflect.Name
		for line := range strings.Lines(string(file.Text)) {
			if words := strings.Fields(line); len(words) == 3 && (strings.HasPrefix(line, "message ") || strings.HasPrefix(line, "enum ")) {
				name = protoreflect.Name(words[1])
			}
			if name != "" && !strings.HasPrefix(strings.TrimSpace(line), "//") {
				found[name] += line
			}
			if strings.HasPrefix(line, "}") {
				name = ""
			}
		}
	}
	return found
}

// reachable are a message and the messages and enums of its package that its fields lead to, each once.
func reachable(m protoreflect.MessageDescriptor) []protoreflect.Name {
	names := []protoreflect.Name{m.Name()}
	seen := map[protoreflect.FullName]bool{m.FullName(): true}
	var walk func(m protoreflect.MessageDescriptor)
	add := func(d protoreflect.Descriptor) bool {
		if d.ParentFile().Package() != m.ParentFile().Package() || seen[d.FullName()] {
			return false
		}
		seen[d.FullName()] = true
		names = append(names, d.Name())
		return true
	}
	walk = func(m protoreflect.MessageDescriptor) {
		for i := range m.Fields().Len() {
			switch f := m.Fields().Get(i); {
			case f.IsMap():
			case f.Enum() != nil:
				add(f.Enum())
			case f.Message() != nil && add(f.Message()):
				walk(f.Message())
			}
		}
	}
	walk(m)
	return names
}
