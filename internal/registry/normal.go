package registry

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// maxSchema bounds the text of a schema that is compared with ours, in bytes; the longest of ours has 90 000.
const maxSchema = 1 << 20

// normal reads a schema as a registry holds it, in either form, under the path that it is imported by, into what
// schemas have in common that say the same in other words: without comments, layout, and order where it means
// nothing. What it imports is ours: whether the registry has that as well is another question.
func normal(path, schema string) (_ *descriptorpb.FileDescriptorProto, form Form, err error) {
	if len(schema) > maxSchema {
		return nil, 0, fmt.Errorf("the schema is longer than %d bytes", maxSchema)
	}
	if file, err := decoded(schema); err == nil {
		return normalOf(file), Descriptor, nil
	}
	file, err := compiled(path, schema)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot be read as protobuf: %w", err)
	}
	return normalOf(file), Text, nil
}

func decoded(schema string) (*descriptorpb.FileDescriptorProto, error) {
	data, err := base64.StdEncoding.DecodeString(schema)
	if err != nil {
		return nil, err
	}
	var file descriptorpb.FileDescriptorProto
	return &file, proto.Unmarshal(data, &file)
}

// compiled is what the compiler makes of a .proto file. The compiler's panics are errors: it is given what
// strangers wrote.
func compiled(path, schema string) (file *descriptorpb.FileDescriptorProto, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the compiler panicked with a %T", r)
		}
	}()
	compiler := protocompile.Compiler{MaxParallelism: 1, Resolver: protocompile.ResolverFunc(func(name string) (protocompile.SearchResult, error) {
		if name == path {
			return protocompile.SearchResult{Source: io.NopCloser(strings.NewReader(schema))}, nil
		}
		ours, err := protoregistry.GlobalFiles.FindFileByPath(name)
		return protocompile.SearchResult{Desc: ours}, err
	})}
	files, err := compiler.Compile(context.Background(), path)
	if err != nil {
		return nil, err
	}
	encoded, err := proto.Marshal(protodesc.ToFileDescriptorProto(files[0]))
	if err != nil {
		return nil, err
	}
	file = &descriptorpb.FileDescriptorProto{}
	return file, proto.Unmarshal(encoded, file) // with the options of ours known, as the generated code has them
}

// normalOf takes out of a file what says nothing. The order of messages says something: values name theirs by its
// place.
func normalOf(file *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	file = proto.CloneOf(file)
	file.Name, file.SourceCodeInfo = nil, nil
	slices.Sort(file.Dependency)
	file.PublicDependency, file.WeakDependency = nil, nil
	if file.GetSyntax() == "proto2" {
		file.Syntax = nil
	}
	normaliseMessages(file.MessageType)
	normaliseEnums(file.EnumType)
	normaliseFields(file.Extension)
	return file
}

func normaliseMessages(all []*descriptorpb.DescriptorProto) {
	for _, m := range all {
		normaliseFields(m.Field)
		normaliseFields(m.Extension)
		normaliseMessages(m.NestedType)
		normaliseEnums(m.EnumType)
		slices.Sort(m.ReservedName)
		slices.SortFunc(m.ReservedRange, func(a, b *descriptorpb.DescriptorProto_ReservedRange) int {
			return cmp.Compare(a.GetStart(), b.GetStart())
		})
	}
}

// normaliseFields sorts fields by number, and takes out the name in JSON, which follows from the field's: none of
// ours has another, and not every form says it.
func normaliseFields(all []*descriptorpb.FieldDescriptorProto) {
	for _, f := range all {
		f.JsonName = nil
	}
	slices.SortFunc(all, func(a, b *descriptorpb.FieldDescriptorProto) int { return cmp.Compare(a.GetNumber(), b.GetNumber()) })
}

func normaliseEnums(all []*descriptorpb.EnumDescriptorProto) {
	for _, e := range all {
		slices.Sort(e.ReservedName)
		slices.SortStableFunc(e.Value, func(a, b *descriptorpb.EnumValueDescriptorProto) int {
			return cmp.Compare(a.GetNumber(), b.GetNumber())
		})
	}
}
