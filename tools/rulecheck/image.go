package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// readImage reads the descriptors of an image of `buf build`.
func readImage(path string) (*protoregistry.Files, error) {
	image, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(image, set); err != nil {
		return nil, fmt.Errorf("%s is not an image of `buf build`: %w", path, err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return files, nil
}

// filesOf are the files of a package and those below it, in order of their paths.
func filesOf(files *protoregistry.Files, pkg string) (found []protoreflect.FileDescriptor) {
	files.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(string(f.Package())+".", pkg+".") {
			found = append(found, f)
		}
		return true
	})
	slices.SortFunc(found, func(a, b protoreflect.FileDescriptor) int { return strings.Compare(a.Path(), b.Path()) })
	return found
}

// messagesOf are all messages, nested ones included, entries of maps left out.
func messagesOf(messages protoreflect.MessageDescriptors) (found []protoreflect.MessageDescriptor) {
	for i := range messages.Len() {
		if m := messages.Get(i); !m.IsMapEntry() {
			found = append(append(found, m), messagesOf(m.Messages())...)
		}
	}
	return found
}

// message finds a message by its name; nil where there is none.
func message(files *protoregistry.Files, name protoreflect.FullName) protoreflect.MessageDescriptor {
	d, err := files.FindDescriptorByName(name)
	if err != nil {
		return nil
	}
	m, _ := d.(protoreflect.MessageDescriptor)
	return m
}
