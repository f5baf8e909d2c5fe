package main

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/pluginpb"
)

type (
	field = descriptorpb.FieldDescriptorProto
	kind  = descriptorpb.FieldDescriptorProto_Type
)

// generated runs the plugin over a message with one field.
func generated(t *testing.T, f *field, oneofs ...string) (string, error) {
	t.Helper()
	f.Name, f.Number = proto.String("it"), proto.Int32(2)
	if f.Label == nil {
		f.Label = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()
	}
	first := &field{Name: proto.String("first"), Number: proto.Int32(1), Type: kind.Enum(descriptorpb.FieldDescriptorProto_TYPE_STRING), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
	m := &descriptorpb.DescriptorProto{Name: proto.String("M"), Field: []*field{f, first}}
	for _, name := range oneofs {
		m.OneofDecl = append(m.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: proto.String(name)})
	}
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("m.proto"), Package: proto.String("m"), Syntax: proto.String("proto3"), MessageType: []*descriptorpb.DescriptorProto{m},
		Options:    &descriptorpb.FileOptions{GoPackage: proto.String("example.com/m")},
		Dependency: []string{"google/protobuf/duration.proto"},
	}
	all := []*descriptorpb.FileDescriptorProto{protodesc.ToFileDescriptorProto(durationpb.File_google_protobuf_duration_proto), file}
	p, err := protogen.Options{}.New(&pluginpb.CodeGeneratorRequest{FileToGenerate: []string{"m.proto"}, ProtoFile: all})
	if err != nil {
		t.Fatal(err)
	}
	if err := generate(p, p.FilesByPath["m.proto"]); err != nil {
		return "", err
	}
	return p.Response().GetFile()[0].GetContent(), nil
}

// The encoders of the contract are compared with the library's in package schemas; here is what they
// must not be made of.
func TestRefusesWhatItDoesNotKnow(t *testing.T) {
	repeated := descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	for name, tc := range map[string]struct {
		field  *field
		oneofs []string
		want   string
	}{
		"a double":             {&field{Type: kind.Enum(descriptorpb.FieldDescriptorProto_TYPE_DOUBLE)}, nil, "kind double"},
		"a list of numbers":    {&field{Type: kind.Enum(descriptorpb.FieldDescriptorProto_TYPE_INT32), Label: repeated}, nil, "list of int32"},
		"one of several":       {&field{Type: kind.Enum(descriptorpb.FieldDescriptorProto_TYPE_STRING), OneofIndex: proto.Int32(0)}, []string{"which"}, "oneof"},
		"a foreign message":    {&field{Type: kind.Enum(descriptorpb.FieldDescriptorProto_TYPE_MESSAGE), TypeName: proto.String(".google.protobuf.Duration")}, nil, "another package"},
		"bytes with presence":  {&field{Type: kind.Enum(descriptorpb.FieldDescriptorProto_TYPE_BYTES), OneofIndex: proto.Int32(0), Proto3Optional: proto.Bool(true)}, []string{"_it"}, "optional bytes"},
		"a bool with presence": {&field{Type: kind.Enum(descriptorpb.FieldDescriptorProto_TYPE_BOOL), OneofIndex: proto.Int32(0), Proto3Optional: proto.Bool(true)}, []string{"_it"}, "optional bool"},
	} {
		if _, err := generated(t, tc.field, tc.oneofs...); err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "m.M.it") {
			t.Errorf("%s: error is %v, want one that names m.M.it and %q", name, err, tc.want)
		}
	}
}

// The library writes fields by their numbers, however the file has them.
func TestFieldsAreInOrder(t *testing.T) {
	code, err := generated(t, &field{Type: kind.Enum(descriptorpb.FieldDescriptorProto_TYPE_STRING)})
	first, second := strings.Index(code, "append(b, 0x0a)"), strings.Index(code, "append(b, 0x12)")
	if err != nil || first < 0 || second < first {
		t.Errorf("error %v, code\n%s", err, code)
	}
}
