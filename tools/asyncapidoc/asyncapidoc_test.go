package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// TestPageIsCurrent holds the document in the tree against what the catalogue and the contract give now. Whether it is
// AsyncAPI at all, its own parser says: TestForeignAsyncAPI.
func TestPageIsCurrent(t *testing.T) {
	if err := run("../..", true); err != nil {
		t.Error(err)
	}
}

func made(t *testing.T) document {
	t.Helper()
	d, err := newDocument()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestEveryTopicIsThere: each topic as it would be created, the twins of events as their topics, and how all but the
// internal ones are read.
func TestEveryTopicIsThere(t *testing.T) {
	d := made(t)
	channels := map[string]channel{}
	for id, c := range d.Channels {
		channels[c.Address] = c
		if _, read := d.Operations["receive."+id]; read == strings.HasPrefix(id, "hydrate") {
			t.Errorf("%s has an operation: %v", c.Address, read)
		}
	}
	plans := sink.PlanTopics(sink.Options{}, sink.TopicSettings{}, 3, nil)
	for _, twin := range schemas.JSONTopics() {
		at := slices.IndexFunc(plans, func(p sink.TopicPlan) bool { return p.Name == schemas.DefaultPrefix+twin.TwinOf })
		plan := plans[at]
		plan.Name = twin.Name(schemas.DefaultPrefix)
		plans = append(plans, plan)
	}
	if len(plans) != len(channels) {
		t.Errorf("%d channels, want %d", len(channels), len(plans))
	}
	for _, plan := range plans {
		c := channels[plan.Name]
		k := c.Bindings.Kafka
		if k.Topic != plan.Name || k.Partitions != plan.Partitions || len(k.Configuration) != len(plan.Configs) || len(c.Messages) != 1 {
			t.Errorf("%s is described as %+v, and would be created as %+v", plan.Name, c, plan)
		}
		for name, to := range c.Messages {
			if _, ok := d.Components.Messages[name]; !ok || to.Ref != "#/components/messages/"+name {
				t.Errorf("%s leads to the message %s, which is not there", plan.Name, to.Ref)
			}
		}
	}
}

// TestHeaders: what every event has is required, with the values that are written; flags have the words that are decided.
func TestHeaders(t *testing.T) {
	d := made(t)
	for _, topic := range append(schemas.Topics(), schemas.JSONTopics()...) {
		if !topic.Domain {
			continue
		}
		name := string(topic.Message.ProtoReflect().Descriptor().Name())
		contentType := "application/protobuf"
		if topic.TwinOf != "" {
			name, contentType = name+"JSON", "application/json"
		}
		m := d.Components.Messages[name]
		want := []string{"ce_dataschema", "ce_id", "ce_source", "ce_specversion", "ce_time", "ce_type", "content-type"}
		if !slices.Equal(m.Headers.Required, want) {
			t.Errorf("%s requires the headers %q, want %q", name, m.Headers.Required, want)
		}
		full := string(topic.Message.ProtoReflect().Descriptor().FullName())
		for header, value := range map[string]string{"ce_type": full, "ce_dataschema": "urn:kycbridge:" + full, "content-type": contentType, "ce_specversion": "1.0"} {
			if got := m.Headers.Properties[header].Const; got != value {
				t.Errorf("%s has %s %q, want %q", name, header, got, value)
			}
		}
		if m.ContentType != contentType {
			t.Errorf("%s is %q, want %q", name, m.ContentType, contentType)
		}
		flags := []string{string(dedupe.Conflict), string(dedupe.Unconfirmed), string(dedupe.Unverified)}
		if !slices.Equal(m.Headers.Properties["dedupe"].Enum, flags) {
			t.Errorf("%s has dedupe of %q, want %q", name, m.Headers.Properties["dedupe"].Enum, flags)
		}
		for _, header := range []string{"stale", "replay", "traceparent", "ce_subject", "ce_schemasubject", "ce_schemaversion"} {
			if m.Headers.Properties[header].Type == "" {
				t.Errorf("%s does not tell of the header %s", name, header)
			}
		}
	}
}

var fieldType = regexp.MustCompile(`(?m)^  (?:repeated |optional )?([A-Z]\w+) \w+ = \d+`)

// TestProtoTextIsWhole: each type that a payload's text names is declared in it, and nothing that is not needed.
func TestProtoTextIsWhole(t *testing.T) {
	for _, topic := range schemas.Topics() {
		d := topic.Message.ProtoReflect().Descriptor()
		text, err := protoText(d)
		if err != nil {
			t.Fatal(err)
		}
		named := map[string]bool{string(d.Name()): true}
		for _, match := range fieldType.FindAllStringSubmatch(text, -1) {
			named[match[1]] = true
		}
		declared := map[string]bool{}
		for _, match := range regexp.MustCompile(`(?m)^(?:message|enum) (\w+) \{`).FindAllStringSubmatch(text, -1) {
			declared[match[1]] = true
		}
		if !maps.Equal(named, declared) {
			t.Errorf("%s: the text names %v and declares %v", topic.Base, slices.Sorted(maps.Keys(named)), slices.Sorted(maps.Keys(declared)))
		}
		if strings.Contains(text, "//") || !strings.HasPrefix(text, protoHead) {
			t.Errorf("%s: the text has comments, or another head:\n%s", topic.Base, text)
		}
	}
}

var schemaLink = regexp.MustCompile(`\$ref: '?(#/[^'\n]+)`)

// TestSchemasAreWhole: the payload of each twin is the JSON Schema of its message, and every link in it leads to a
// schema of this document.
func TestSchemasAreWhole(t *testing.T) {
	d := made(t)
	for _, twin := range schemas.JSONTopics() {
		m := twin.Message.ProtoReflect().Descriptor()
		name := string(m.FullName())
		if got, want := d.Components.Messages[string(m.Name())+"JSON"].Payload, (ref{"#/components/schemas/" + name}); got != want {
			t.Errorf("%s has the payload %v, want %v", twin.Base, got, want)
		}
		if d.Components.Schemas[name] == nil {
			t.Errorf("there is no schema %s", name)
		}
	}
	text, err := yaml.Marshal(d.Components.Schemas)
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range schemaLink.FindAllStringSubmatch(string(text), -1) {
		if name, ok := strings.CutPrefix(link[1], "#/components/schemas/"); !ok || d.Components.Schemas[name] == nil {
			t.Errorf("the link %s leads nowhere", link[1])
		}
	}
	for _, key := range []string{"$schema:", "$id:", "$defs:"} {
		if strings.Contains(string(text), key) {
			t.Errorf("the schemas have a %s of their own", key)
		}
	}
}
