package main

import (
	"bytes"
	"fmt"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"github.com/jhump/protoreflect/v2/protoprint"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// sources lists the files of the dependency; all else they import is built
// into buf.
func sources() []protoreflect.FileDescriptor {
	return []protoreflect.FileDescriptor{validate.File_buf_validate_validate_proto}
}

// printSources adds the text of each source file under its import path.
func printSources(files map[string][]byte) error {
	for _, file := range sources() {
		var text bytes.Buffer
		fmt.Fprintf(&text, "// Written by tools/protodeps from %s.\n", descriptorModule)
		if err := (&protoprint.Printer{}).PrintProtoFile(file, &text); err != nil {
			return fmt.Errorf("print %s: %w", file.Path(), err)
		}
		files[file.Path()] = text.Bytes()
	}
	return nil
}
