package contract_test

import (
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/schemas"
)

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
		value, err := contract.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		dynamic := dynamicpb.NewMessage(d.(protoreflect.MessageDescriptor))
		if err := contract.Unmarshal(value, dynamic); err != nil {
			t.Errorf("%s: %v", d.FullName(), err)
		}
		if len(dynamic.GetUnknown()) > 0 || protojson.Format(dynamic) == "" {
			t.Errorf("%s: not all fields are known to the exported set", d.FullName())
		}
	}
}
