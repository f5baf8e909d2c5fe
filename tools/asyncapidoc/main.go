// Program asyncapidoc writes docs/asyncapi.yaml: the topics as an AsyncAPI 3 document, for tools that
// browse, generate or check. Topics, keys, partitions and retention come from the catalogue and from the
// plan by which topics are created, headers from what writes events, payloads from the .proto files.
package main

import (
	"bytes"
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/kycbridge/kycbridge/tools/docpage"
)

const head = "# Written by `make docs` from schemas/, proto/kyc/v1 and sink/topics.go; change it there.\n"

func main() { os.Exit(docpage.Main("asyncapidoc", run)) }

func run(root string, check bool) error {
	text, err := render()
	if err != nil {
		return err
	}
	page := docpage.Page{Path: "docs/asyncapi.yaml", Text: text, From: "the catalogue with the contract"}
	return docpage.Put(root, check, page)
}

func render() ([]byte, error) {
	d, err := newDocument()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(head)
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(d); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}
