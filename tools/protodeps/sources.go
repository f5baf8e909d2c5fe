package main

import (
	"bytes"
	"fmt"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"github.com/jhump/protoreflect/v2/protoprint"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// header stands above each text. The files are also handed to consumers, so it says whose they are, and that
// it is not a file of theirs that may be overwritten.
const header = `// Written for github.com/kycbridge/kycbridge from the descriptors in the Go module
// ` + descriptorModule + `.
// Copyright Buf Technologies, Inc.; licensed under the Apache License, Version 2.0.

`

// sources lists the files of the dependency; all else they import is built
// into buf.
func sources() []protoreflect.FileDescriptor {
	return []protoreflect.FileDescriptor{validate.File_buf_validate_validate_proto}
}

// printSources adds the text of each source file under its import path.
func printSources(files map[string][]byte) error {
	for _, file := range sources() {
		text := bytes.NewBufferString(header)
		if err := (&protoprint.Printer{}).PrintProtoFile(file, text); err != nil {
			return fmt.Errorf("print %s: %w", file.Path(), err)
		}
		files[file.Path()] = text.Bytes()
	}
	return nil
}
