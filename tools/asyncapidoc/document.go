package main

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

const (
	repository = "https://github.com/kycbridge/kycbridge/blob/main/docs/"

	// kafkaBinding is the version of AsyncAPI's binding of Kafka.
	kafkaBinding = "0.5.0"

	// brokers are as many as a cluster must have to lose none of what it acknowledged.
	brokers = 3
)

const description = `Identity-verification vendors report by webhook; kycbridge turns each delivery into typed events. This document is
written from the side of a consumer. Read with isolation.level=read_committed: events are written in transactions.
Treat a value of an enum that you do not know as UNSPECIFIED. Names of topics, partitions and retention are those of a
configuration that changes none of them. Topics that end in .json are there where it says topics.json.
`

func newDocument() (document, error) {
	d := document{
		AsyncAPI: "3.1.0", ID: "urn:kycbridge:kyc.v1", ContentType: "application/protobuf",
		Info: info{
			Title: "kycbridge", Version: "1.0.0", Description: description,
			License: license{"Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"},
			Docs:    docs{"What a consumer has to know", repository + "consuming.md"},
		},
		Servers:    map[string]server{"dev": {"127.0.0.1:9092", "kafka", "The Kafka inside `kycbridge dev`; put yours in its place"}},
		Channels:   map[string]channel{},
		Operations: map[string]operation{},
		Components: components{Messages: map[string]message{}, Schemas: map[string]*yaml.Node{}},
	}
	files, err := protodesc.NewFiles(schemas.DescriptorSet())
	if err != nil {
		return d, err
	}
	plans := map[string]sink.TopicPlan{}
	for _, plan := range sink.PlanTopics(sink.Options{}, sink.TopicSettings{}, brokers, nil) {
		plans[plan.Name] = plan
	}
	for _, t := range append(schemas.Topics(), schemas.JSONTopics()...) {
		plan := plans[t.Name(schemas.DefaultPrefix)]
		if t.TwinOf != "" {
			plan = plans[schemas.DefaultPrefix+t.TwinOf]
		}
		if err := d.add(files, t, plan); err != nil {
			return d, err
		}
	}
	return d, nil
}

// add describes a topic, its message, and how it is read.
func (d *document) add(files *protoregistry.Files, t schemas.Topic, plan sink.TopicPlan) error {
	found, err := files.FindDescriptorByName(t.Message.ProtoReflect().Descriptor().FullName())
	if err != nil {
		return err
	}
	about := commentOf(found)
	name := string(found.Name())
	if t.TwinOf != "" {
		name += "JSON"
	}
	if _, ok := d.Components.Messages[name]; !ok { // a task has two topics
		if d.Components.Messages[name], err = d.Components.newMessage(t, name, about); err != nil {
			return err
		}
	}
	id := strings.TrimSuffix(strings.Replace(t.Base, ".v1", "", 1), ".v1")
	d.Channels[id] = newChannel(t, plan, name, about)
	if t.Retention == schemas.RetainRaw && t.Base != schemas.Raw {
		return nil // internal: nobody else reads it
	}
	d.Operations["receive."+id] = operation{
		Action: "receive", Summary: "Read " + t.Name(schemas.DefaultPrefix),
		Channel: ref{"#/channels/" + id}, Messages: []ref{{"#/channels/" + id + "/messages/" + name}},
	}
	return nil
}

func newChannel(t schemas.Topic, plan sink.TopicPlan, message, about string) channel {
	c := channel{
		Address: t.Name(schemas.DefaultPrefix), Description: firstSentence(about),
		Messages: map[string]ref{message: {"#/components/messages/" + message}},
	}
	c.Bindings.Kafka.Topic, c.Bindings.Kafka.Version = c.Address, kafkaBinding
	c.Bindings.Kafka.Partitions, c.Bindings.Kafka.Replicas = plan.Partitions, plan.Replication
	c.Bindings.Kafka.Configuration = configuration(plan.Configs)
	return c
}

// configuration is a topic's, with numbers as such and the policy as a list, as the binding wants them.
func configuration(configs map[string]string) map[string]any {
	typed := map[string]any{}
	for key, text := range configs {
		if n, err := strconv.Atoi(text); err == nil {
			typed[key] = n
		} else {
			typed[key] = []string{text}
		}
	}
	return typed
}

func (c *components) newMessage(t schemas.Topic, name, about string) (message, error) {
	m := message{
		Name: name, Title: name, Summary: firstSentence(about), ContentType: "application/protobuf",
		Docs: docs{"Fields, rules, enum values and an example", repository + "events.md#" + strings.ToLower(strings.TrimSuffix(name, "JSON"))},
	}
	m.Bindings.Kafka.Key, m.Bindings.Kafka.Version = schema{Type: "string", Description: t.Key}, kafkaBinding
	var err error
	if m.Payload, err = c.newPayload(t); err != nil || !t.Domain {
		m.Headers = traced()
		return m, err
	}
	m.Headers, m.ContentType, err = eventHeaders(t)
	return m, err
}

// newPayload is the value's schema: the .proto text, or a link to that of the JSON that a twin holds.
func (c *components) newPayload(t schemas.Topic) (any, error) {
	d := t.Message.ProtoReflect().Descriptor()
	if t.TwinOf != "" {
		name := string(d.FullName())
		return ref{hereSchemas + name}, c.addSchemas(name)
	}
	text, err := protoText(d)
	return payload{"application/vnd.google.protobuf;version=3", text}, err
}

func commentOf(d protoreflect.Descriptor) string {
	return strings.Join(strings.Fields(d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments), " ")
}

func firstSentence(text string) string {
	if first, _, ok := strings.Cut(text, ". "); ok {
		return first + "."
	}
	return text
}
