package schemas_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/kycbridge/kycbridge/schemas"
)

func TestDescriptorSetIsWholeAndOrdered(t *testing.T) {
	var paths []string
	for _, file := range schemas.DescriptorSet().File {
		for _, dep := range file.Dependency {
			if !slices.Contains(paths, dep) {
				t.Errorf("%s comes before %s, which it imports", file.GetName(), dep)
			}
		}
		if slices.Contains(paths, file.GetName()) {
			t.Errorf("%s is there twice", file.GetName())
		}
		paths = append(paths, file.GetName())
	}
	for _, file := range contractFiles() {
		if !slices.Contains(paths, file.Path()) {
			t.Errorf("%s is missing", file.Path())
		}
	}
	for _, path := range []string{"buf/validate/validate.proto", "google/protobuf/timestamp.proto"} {
		if !slices.Contains(paths, path) {
			t.Errorf("the import %s is missing", path)
		}
	}
}

// The set says what the generated code says, and comments besides.
func TestDescriptorSetAgreesWithTheGeneratedCode(t *testing.T) {
	set := map[string]*descriptorpb.FileDescriptorProto{}
	for _, file := range schemas.DescriptorSet().File {
		set[file.GetName()] = file
	}
	for _, file := range contractFiles() {
		got, ok := set[file.Path()]
		if !ok {
			t.Errorf("%s is missing", file.Path())
			continue
		}
		got.SourceCodeInfo = nil
		if want := protodesc.ToFileDescriptorProto(file); !proto.Equal(got, want) {
			t.Errorf("%s is not what the generated code was made of: run make proto", file.Path())
		}
	}
}

func TestDescriptorSetCarriesComments(t *testing.T) {
	files, err := protodesc.NewFiles(schemas.DescriptorSet())
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for _, file := range contractFiles() {
		described, err := files.FindFileByPath(file.Path())
		if err != nil {
			t.Fatal(err)
		}
		eachDeclaration(described, func(d protoreflect.Descriptor) {
			counted++
			if described.SourceLocations().ByDescriptor(d).LeadingComments == "" {
				t.Errorf("%s has no comment", d.FullName())
			}
		})
	}
	if counted < 200 {
		t.Errorf("%d messages, fields, enums and values were looked at, fewer than there are", counted)
	}
}

// eachDeclaration visits what people read the comments of: messages, their
// fields, enums and their values.
func eachDeclaration(file protoreflect.FileDescriptor, visit func(protoreflect.Descriptor)) {
	eachEnum(file.Enums(), visit)
	for i := range file.Messages().Len() {
		eachInMessage(file.Messages().Get(i), visit)
	}
}

func eachInMessage(m protoreflect.MessageDescriptor, visit func(protoreflect.Descriptor)) {
	if m.IsMapEntry() {
		return
	}
	visit(m)
	for i := range m.Fields().Len() {
		visit(m.Fields().Get(i))
	}
	eachEnum(m.Enums(), visit)
	for i := range m.Messages().Len() {
		eachInMessage(m.Messages().Get(i), visit)
	}
}

func eachEnum(enums protoreflect.EnumDescriptors, visit func(protoreflect.Descriptor)) {
	for i := range enums.Len() {
		visit(enums.Get(i))
		for j := range enums.Get(i).Values().Len() {
			visit(enums.Get(i).Values().Get(j))
		}
	}
}
