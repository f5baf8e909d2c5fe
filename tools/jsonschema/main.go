// Program jsonschema writes a JSON Schema (draft 2020-12) of the message of each topic, from the contract's
// descriptors: the JSON is that of protobuf's mapping, the descriptions are the comments, and the rules are those
// of protovalidate as far as JSON Schema can say them. It reads an image made by `buf build` from standard input.
//
// It is not a general generator: a type or a rule that the contract does not use is an error, so that none is
// left out unseen. What it writes is open where the contract is: further properties and words of enums are valid.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/kycbridge/kycbridge/schemas"
)

func main() {
	out := flag.String("out", "", "folder to write to")
	flag.Parse()
	if err := run(os.Stdin, *out); err != nil {
		fmt.Fprintln(os.Stderr, "jsonschema:", err)
		os.Exit(1)
	}
}

func run(image io.Reader, out string) error {
	files, err := readImage(image)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, topic := range schemas.Topics() {
		name := topic.Message.ProtoReflect().Descriptor().FullName()
		text, err := schemaOf(files, name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, string(name)+".schema.json"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func readImage(in io.Reader) (*protoregistry.Files, error) {
	image, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(image, set); err != nil {
		return nil, fmt.Errorf("standard input is not an image of `buf build`: %w", err)
	}
	return protodesc.NewFiles(set)
}

// schemaOf gives the text of the schema of one message, which needs no other.
func schemaOf(files *protoregistry.Files, name protoreflect.FullName) ([]byte, error) {
	d, err := files.FindDescriptorByName(name)
	if err != nil {
		return nil, fmt.Errorf("the image has no %s: %w", name, err)
	}
	message, ok := d.(protoreflect.MessageDescriptor)
	if !ok {
		return nil, fmt.Errorf("%s is not a message", name)
	}
	root, err := document(message)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(root)
	return text.Bytes(), err
}
