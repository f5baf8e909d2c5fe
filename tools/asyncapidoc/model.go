package main

import "go.yaml.in/yaml/v3"

// The parts of AsyncAPI 3 that the document has, in the order in which they are written.

type document struct {
	AsyncAPI    string               `yaml:"asyncapi"`
	ID          string               `yaml:"id"`
	Info        info                 `yaml:"info"`
	ContentType string               `yaml:"defaultContentType"`
	Servers     map[string]server    `yaml:"servers"`
	Channels    map[string]channel   `yaml:"channels"`
	Operations  map[string]operation `yaml:"operations"`
	Components  components           `yaml:"components"`
}

type info struct {
	Title       string  `yaml:"title"`
	Version     string  `yaml:"version"`
	Description string  `yaml:"description"`
	License     license `yaml:"license"`
	Docs        docs    `yaml:"externalDocs"`
}

type license struct {
	Name string `yaml:"name"`
	URL  string `yaml:"url"`
}

type docs struct {
	Description string `yaml:"description"`
	URL         string `yaml:"url"`
}

type server struct {
	Host        string `yaml:"host"`
	Protocol    string `yaml:"protocol"`
	Description string `yaml:"description"`
}

type channel struct {
	Address     string         `yaml:"address"`
	Description string         `yaml:"description"`
	Messages    map[string]ref `yaml:"messages"`
	Bindings    channelKafka   `yaml:"bindings"`
}

type channelKafka struct {
	Kafka struct {
		Topic         string         `yaml:"topic"`
		Partitions    int32          `yaml:"partitions"`
		Replicas      int16          `yaml:"replicas"`
		Configuration map[string]any `yaml:"topicConfiguration"`
		Version       string         `yaml:"bindingVersion"`
	} `yaml:"kafka"`
}

type operation struct {
	Action   string `yaml:"action"`
	Summary  string `yaml:"summary"`
	Channel  ref    `yaml:"channel"`
	Messages []ref  `yaml:"messages"`
}

type ref struct {
	Ref string `yaml:"$ref"`
}

type components struct {
	Messages map[string]message    `yaml:"messages"`
	Schemas  map[string]*yaml.Node `yaml:"schemas"` // of JSON, by the full name of the message or enum
}

type message struct {
	Name        string       `yaml:"name"`
	Title       string       `yaml:"title"`
	Summary     string       `yaml:"summary"`
	ContentType string       `yaml:"contentType"`
	Headers     schema       `yaml:"headers"`
	Payload     any          `yaml:"payload"` // payload, or a ref to a schema of JSON
	Bindings    messageKafka `yaml:"bindings"`
	Docs        docs         `yaml:"externalDocs"`
}

type messageKafka struct {
	Kafka struct {
		Key     schema `yaml:"key"`
		Version string `yaml:"bindingVersion"`
	} `yaml:"kafka"`
}

// payload is a schema in another language than that of the document.
type payload struct {
	Format string `yaml:"schemaFormat"`
	Schema string `yaml:"schema"`
}

// schema is as much of JSON Schema as headers and keys need.
type schema struct {
	Type        string            `yaml:"type"`
	Description string            `yaml:"description,omitempty"`
	Format      string            `yaml:"format,omitempty"`
	Pattern     string            `yaml:"pattern,omitempty"`
	Const       string            `yaml:"const,omitempty"`
	Enum        []string          `yaml:"enum,omitempty"`
	Required    []string          `yaml:"required,omitempty"`
	Properties  map[string]schema `yaml:"properties,omitempty"`
}
