package main

import (
	"fmt"
	"slices"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// compare gives what is refused in the files of pkg, in their order. A message that is gone is buf's to refuse.
func compare(released, image *protoregistry.Files, pkg string) (found []finding, err error) {
	files := filesOf(image, pkg)
	if len(files) == 0 || len(filesOf(released, pkg)) == 0 {
		return nil, fmt.Errorf("no file of package %s in the image or in the released one: look at -package", pkg)
	}
	for _, file := range files {
		if was, err := released.FindFileByPath(file.Path()); err == nil {
			found = append(found, first(was, file)...)
		}
		for _, m := range messagesOf(file.Messages()) {
			of, err := compareMessage(message(released, m.FullName()), m)
			if err != nil {
				return nil, err
			}
			found = append(found, of...)
		}
	}
	return found, nil
}

// first refuses another first message of a file.
func first(was, is protoreflect.FileDescriptor) []finding {
	if was.Messages().Len() == 0 || is.Messages().Len() == 0 {
		return nil
	}
	w, i := was.Messages().Get(0), is.Messages().Get(0)
	if w.FullName() == i.FullName() {
		return nil
	}
	return []finding{{at: i, was: string(w.Name()) + " as the first message of the file", is: string(i.Name()), do: stayFirst}}
}

// compareMessage is about one message; was is nil for a new one, which may have any rule but those that hold enums.
func compareMessage(was, is protoreflect.MessageDescriptor) (found []finding, err error) {
	if was != nil {
		found = append(found, differences{at: is}.compare(rulesOfMessage(was), rulesOfMessage(is))...)
		found = append(found, oneofs(was, is)...)
	}
	for i := range is.Fields().Len() {
		field := is.Fields().Get(i)
		found = append(found, enumRules(field)...)
		if was == nil {
			continue
		}
		if old := was.Fields().ByNumber(field.Number()); old != nil {
			found = append(found, differences{at: field}.compare(rulesOfField(old), rulesOfField(field))...)
			continue
		}
		required, err := newRequired(field)
		if err != nil {
			return nil, err
		}
		found = append(found, required...)
	}
	return found, nil
}

// oneofs refuses one that must be set and had not to be.
func oneofs(was, is protoreflect.MessageDescriptor) (found []finding) {
	for i := range is.Oneofs().Len() {
		one := is.Oneofs().Get(i)
		var old protoreflect.Message = (*validate.OneofRules)(nil).ProtoReflect()
		if o := was.Oneofs().ByName(one.Name()); o != nil {
			old = rulesOf(o, validate.E_Oneof)
		}
		found = append(found, differences{at: one}.compare(old, rulesOf(one, validate.E_Oneof))...)
	}
	return found
}

// newRequired refuses a new field that a message which was released must have. protovalidate itself says so, of
// a message that has nothing at all.
func newRequired(field protoreflect.FieldDescriptor) ([]finding, error) {
	parent := dynamicpb.NewMessage(field.ContainingMessage())
	err := protovalidate.Validate(parent)
	var violations *protovalidate.ValidationError
	if err != nil && !asViolations(err, &violations) {
		return nil, fmt.Errorf("%s: the rules of %s cannot be compiled: %w", place(field), field.FullName(), err)
	}
	if violations == nil {
		return nil, nil
	}
	broken := slices.IndexFunc(violations.Violations, func(v *protovalidate.Violation) bool {
		elements := v.Proto.GetField().GetElements()
		return len(elements) > 0 && elements[0].GetFieldNumber() == int32(field.Number())
	})
	if broken < 0 {
		return nil, nil
	}
	return []finding{{at: field, rule: protovalidate.FieldPathString(violations.Violations[broken].Proto.GetRule()),
		is: "a rule that an event without this new field breaks", do: notRequired}}, nil
}

// rulesOfMessage, rulesOfField and rulesOf are the options of protovalidate; empty where there are none.
func rulesOfMessage(m protoreflect.MessageDescriptor) protoreflect.Message {
	return rulesOf(m, validate.E_Message)
}

func rulesOfField(f protoreflect.FieldDescriptor) protoreflect.Message {
	return rulesOf(f, validate.E_Field)
}

func rulesOf(d protoreflect.Descriptor, option protoreflect.ExtensionType) protoreflect.Message {
	rules, _ := proto.GetExtension(d.Options(), option).(proto.Message)
	return rules.ProtoReflect()
}
