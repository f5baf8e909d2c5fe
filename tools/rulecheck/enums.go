package main

import (
	"slices"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// closing are the rules that close an enum: a consumer of today would refuse every value of tomorrow.
var closing = []protoreflect.Name{"const", "defined_only", "in"}

// enumRules refuses them on any field, items and values of a map included, and on a new one as well.
func enumRules(field protoreflect.FieldDescriptor) (found []finding) {
	rules, _ := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)
	for _, part := range []struct {
		prefix string
		rules  *validate.FieldRules
	}{{"", rules}, {"repeated.items.", rules.GetRepeated().GetItems()}, {"map.values.", rules.GetMap().GetValues()}} {
		enum := part.rules.GetEnum().ProtoReflect()
		for _, name := range closing {
			if f := enum.Descriptor().Fields().ByName(name); enum.Has(f) {
				found = append(found, finding{at: field, rule: part.prefix + "enum." + string(name), is: show(f, enum), do: noEnumRule})
			}
		}
	}
	return found
}

// closes reports whether a rule is one of them.
func closes(f protoreflect.FieldDescriptor) bool {
	return f.Parent().Name() == "EnumRules" && slices.Contains(closing, f.Name())
}
