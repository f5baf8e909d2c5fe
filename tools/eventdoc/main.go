// Program eventdoc writes the reference of the contract, docs/events.md: every message and enum
// with its comments, its rules in words, and one example of each topic's message made of a fixture
// of a vendor. It knows the kinds of rules that the contract has, and refuses one that it would
// leave out.
package main

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/tools/docpage"
)

func main() { os.Exit(docpage.Main("eventdoc", run)) }

func run(root string, check bool) error {
	text, err := contractPage()
	if err != nil {
		return err
	}
	page := docpage.Page{Path: "docs/events.md", Text: []byte(text), From: "proto/kyc/v1 with the goldens"}
	return docpage.Put(root, check, page)
}

// contractPage is the page of the contract that this program is built with.
func contractPage() (string, error) {
	files, err := protodesc.NewFiles(schemas.DescriptorSet())
	if err != nil {
		return "", err
	}
	examples, err := makeExamples(catalog.All())
	if err != nil {
		return "", err
	}
	return document(files, schemas.Topics(), examples)
}

// fileOf is the file of a topic's message with its comments.
func fileOf(files *protoregistry.Files, t schemas.Topic) (protoreflect.FileDescriptor, error) {
	name := t.Message.ProtoReflect().Descriptor().FullName()
	d, err := files.FindDescriptorByName(name)
	if err != nil {
		return nil, fmt.Errorf("the contract has no message %s: %w", name, err)
	}
	return d.ParentFile(), nil
}
