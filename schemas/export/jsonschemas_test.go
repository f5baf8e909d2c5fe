package export_test

import (
	"encoding/json"
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/schemas/export"
)

// described is as much of a schema as is looked at here.
type described struct {
	Schema               string               `json:"$schema"`
	ID                   string               `json:"$id"`
	Ref                  string               `json:"$ref"`
	Properties           map[string]described `json:"properties"`
	AdditionalProperties json.RawMessage      `json:"additionalProperties"`
	Enum                 []any                `json:"enum"`
	Examples             []string             `json:"examples"`
	Defs                 map[string]described `json:"$defs"`
}

func schemasByID(t *testing.T) map[string]described {
	t.Helper()
	all := map[string]described{}
	for _, file := range export.JSONSchemas() {
		var d described
		if err := json.Unmarshal(file.Text, &d); err != nil {
			t.Fatalf("%s: %v", file.Path, err)
		}
		if d.ID != "urn:kycbridge:"+file.Path[:len(file.Path)-len(".schema.json")] || d.Schema != "https://json-schema.org/draft/2020-12/schema" {
			t.Errorf("%s is %s of %s", file.Path, d.ID, d.Schema)
		}
		all[d.ID] = d
	}
	return all
}

// Each topic's message has a schema with all of its fields, and it needs no other file.
func TestJSONSchemasAreWhole(t *testing.T) {
	all := schemasByID(t)
	for _, topic := range schemas.Topics() {
		m := topic.Message.ProtoReflect().Descriptor()
		root, ok := all["urn:kycbridge:"+string(m.FullName())]
		if !ok {
			t.Errorf("%s has no schema", m.FullName())
			continue
		}
		checkMessage(t, m, root, root.Defs)
		for name, def := range root.Defs {
			if def.Properties == nil && def.Examples == nil {
				t.Errorf("%s: %s says nothing", m.FullName(), name)
			}
		}
	}
}

func checkMessage(t *testing.T, m protoreflect.MessageDescriptor, d described, defs map[string]described) {
	t.Helper()
	if len(d.Properties) != m.Fields().Len() {
		t.Errorf("%s has %d properties, and %d fields: run make proto", m.FullName(), len(d.Properties), m.Fields().Len())
	}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		property, ok := d.Properties[f.JSONName()]
		if !ok {
			t.Errorf("%s is missing: run make proto", f.FullName())
		}
		if f.Enum() != nil && !f.IsList() {
			checkEnum(t, f.Enum(), property, defs)
		}
		if f.Message() != nil && property.Ref != "" {
			checkMessage(t, f.Message(), defs[property.Ref[len("#/$defs/"):]], defs)
		}
	}
}

// checkEnum: the words are there, and others pass.
func checkEnum(t *testing.T, e protoreflect.EnumDescriptor, d described, defs map[string]described) {
	t.Helper()
	def := defs[string(e.FullName())]
	if d.Ref != "#/$defs/"+string(e.FullName()) || def.Enum != nil {
		t.Errorf("%s is %s, and closed: %v", e.FullName(), d.Ref, def.Enum)
	}
	var words []string
	for i := range e.Values().Len() {
		words = append(words, string(e.Values().Get(i).Name()))
	}
	if !slices.Equal(def.Examples, words) {
		t.Errorf("%s has the words %q, want %q", e.FullName(), def.Examples, words)
	}
}

// Nothing is closed: a newer event with one more property is valid.
func TestJSONSchemasAreOpen(t *testing.T) {
	for id, root := range schemasByID(t) {
		for name, def := range root.Defs {
			if string(def.AdditionalProperties) == "false" {
				t.Errorf("%s: %s refuses further properties", id, name)
			}
		}
		if root.AdditionalProperties != nil {
			t.Errorf("%s says something of further properties: %s", id, root.AdditionalProperties)
		}
	}
}
