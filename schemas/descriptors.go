package schemas

import (
	_ "embed"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// commented is the descriptors of the contract's own files with what the generated code leaves out: comments, and
// where everything stands. A program that never asks for it does not hold it.
//
//go:embed kyc.binpb
var commented []byte

// DescriptorSet gives the whole contract with all its imports, each file after
// those it imports, for tools that decode records by a descriptor set. The
// contract's own files carry their comments (source_code_info); the imports
// do not. The configuration is not in it.
func DescriptorSet() *descriptorpb.FileDescriptorSet {
	own := ownFiles()
	set := &descriptorpb.FileDescriptorSet{}
	seen := map[string]bool{}
	for _, t := range catalogue {
		addFile(set, own, seen, t.Message.ProtoReflect().Descriptor().ParentFile())
	}
	return set
}

func addFile(set *descriptorpb.FileDescriptorSet, own map[string]*descriptorpb.FileDescriptorProto, seen map[string]bool, file protoreflect.FileDescriptor) {
	if seen[file.Path()] {
		return
	}
	seen[file.Path()] = true
	for i := range file.Imports().Len() {
		addFile(set, own, seen, file.Imports().Get(i).FileDescriptor)
	}
	if f, ok := own[file.Path()]; ok {
		set.File = append(set.File, f)
		return
	}
	set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
}

// ownFiles panics only where the program was built with something else in the
// place of what it embeds, which cannot be.
func ownFiles() map[string]*descriptorpb.FileDescriptorProto {
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(commented, &set); err != nil {
		panic(fmt.Sprintf("kyc.binpb is no FileDescriptorSet: %v", err))
	}
	own := make(map[string]*descriptorpb.FileDescriptorProto, len(set.File))
	for _, file := range set.File {
		own[file.GetName()] = file
	}
	return own
}
