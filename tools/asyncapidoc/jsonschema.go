package main

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kycbridge/kycbridge/schemas/export"
)

// Where schemas of JSON are in their own documents, and where in this one.
const (
	ownSchemas  = "#/$defs/"
	hereSchemas = "#/components/schemas/"
)

// addSchemas adds the JSON Schema of a message and those it is made of to the components, each by its full name. It is
// the text that `schema export --json-schema` writes: JSON is YAML, so it is read as that and keeps its order.
func (c *components) addSchemas(message string) error {
	files := export.JSONSchemas()
	at := slices.IndexFunc(files, func(f export.File) bool { return f.Path == message+".schema.json" })
	if at < 0 {
		return fmt.Errorf("there is no JSON Schema of %s: run make proto", message)
	}
	var text yaml.Node
	if err := yaml.Unmarshal(files[at].Text, &text); err != nil {
		return fmt.Errorf("%s: %w", files[at].Path, err)
	}
	root := text.Content[0]
	for _, key := range []string{"$schema", "$id"} { // they would make links be looked for elsewhere
		take(root, key)
	}
	if parts := take(root, "$defs"); parts != nil {
		for i := 0; i < len(parts.Content); i += 2 {
			c.Schemas[parts.Content[i].Value] = settled(parts.Content[i+1])
		}
	}
	c.Schemas[message] = settled(root)
	return nil
}

// take removes a key of a mapping and gives its value; nil where it is not there.
func take(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			value := mapping.Content[i+1]
			mapping.Content = slices.Delete(mapping.Content, i, i+2)
			return value
		}
	}
	return nil
}

// settled has a schema's links lead to where schemas are here, and has it written as YAML is.
func settled(n *yaml.Node) *yaml.Node {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && strings.HasPrefix(n.Value, ownSchemas) {
		n.Value = hereSchemas + strings.TrimPrefix(n.Value, ownSchemas)
	}
	for _, part := range n.Content {
		settled(part)
	}
	return n
}
