// Program configdoc writes the configuration reference in Markdown from the
// comments of the configuration's .proto file and the table of rules of package rules, so that they cannot differ.
// It reads an image made by `buf build` (a descriptor set with comments) from
// standard input. It is not a general documentation generator: it knows the
// shape of a configuration, a tree of settings with defaults.
package main

import (
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/kycbridge/kycbridge/internal/config/rules"
)

// rootMessage is the message that a whole configuration file is.
const rootMessage = "kycbridge.config.v1.Config"

func main() {
	if err := run(os.Stdin, os.Stdout, rules.All()); err != nil {
		fmt.Fprintln(os.Stderr, "configdoc:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, whole []rules.Rule) error {
	image, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	root, err := findRoot(image)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, document(root, whole))
	return err
}

func findRoot(image []byte) (protoreflect.MessageDescriptor, error) {
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(image, set); err != nil {
		return nil, fmt.Errorf("standard input is not an image of `buf build`: %w", err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, err
	}
	d, err := files.FindDescriptorByName(rootMessage)
	if err != nil {
		return nil, fmt.Errorf("the image has no message %s: %w", rootMessage, err)
	}
	message, ok := d.(protoreflect.MessageDescriptor)
	if !ok {
		return nil, fmt.Errorf("%s is not a message", rootMessage)
	}
	return message, nil
}
