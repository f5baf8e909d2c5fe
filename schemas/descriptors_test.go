package schemas_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

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

// A tool that has only the exported set must read every topic.
func TestDescriptorSetDecodesRecords(t *testing.T) {
	exported, err := proto.Marshal(schemas.DescriptorSet())
	if err != nil {
		t.Fatal(err)
	}
	set := schemas.DescriptorSet()
	if err := proto.Unmarshal(exported, set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []proto.Message{session(), check(), aml(), renewal(), resource(), envelope(), task(), disposition(), deadLetter()} {
		d, err := files.FindDescriptorByName(m.ProtoReflect().Descriptor().FullName())
		if err != nil {
			t.Fatal(err)
		}
		value, err := schemas.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		dynamic := dynamicpb.NewMessage(d.(protoreflect.MessageDescriptor))
		if err := schemas.Unmarshal(value, dynamic); err != nil {
			t.Errorf("%s: %v", d.FullName(), err)
		}
		if len(dynamic.GetUnknown()) > 0 || protojson.Format(dynamic) == "" {
			t.Errorf("%s: not all fields are known to the exported set", d.FullName())
		}
	}
}
