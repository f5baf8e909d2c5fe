package main

import (
	"bytes"
	"encoding/json"
)

// node is one schema. Its keywords are written in this order.
type node struct {
	Schema               string   `json:"$schema,omitempty"`
	ID                   string   `json:"$id,omitempty"`
	Ref                  string   `json:"$ref,omitempty"`
	Title                string   `json:"title,omitempty"`
	Description          string   `json:"description,omitempty"`
	Comment              string   `json:"$comment,omitempty"`
	Type                 string   `json:"type,omitempty"`
	AnyOf                []*node  `json:"anyOf,omitempty"`
	Not                  *node    `json:"not,omitempty"`
	Enum                 []any    `json:"enum,omitempty"`
	Format               string   `json:"format,omitempty"`
	ContentEncoding      string   `json:"contentEncoding,omitempty"`
	MinLength            *uint64  `json:"minLength,omitempty"`
	MaxLength            *uint64  `json:"maxLength,omitempty"`
	Pattern              string   `json:"pattern,omitempty"`
	Minimum              *int64   `json:"minimum,omitempty"`
	Maximum              *int64   `json:"maximum,omitempty"`
	Items                *node    `json:"items,omitempty"`
	MinItems             *uint64  `json:"minItems,omitempty"`
	MaxItems             *uint64  `json:"maxItems,omitempty"`
	PropertyNames        *node    `json:"propertyNames,omitempty"`
	MaxProperties        *uint64  `json:"maxProperties,omitempty"`
	Properties           members  `json:"properties,omitempty"`
	AdditionalProperties *node    `json:"additionalProperties,omitempty"`
	Required             []string `json:"required,omitempty"`
	Examples             []string `json:"examples,omitempty"`
	Defs                 members  `json:"$defs,omitempty"`
}

// members are the members of an object in the order of the contract, which says more than that of the alphabet.
type members []member

type member struct {
	name  string
	value *node
}

// MarshalJSON writes them in their order, and comments as they are, with < and &.
func (m members) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	separator := "{"
	for _, each := range m {
		text.WriteString(separator)
		if err := encoder.Encode(each.name); err != nil {
			return nil, err
		}
		text.WriteByte(':')
		if err := encoder.Encode(each.value); err != nil {
			return nil, err
		}
		separator = ","
	}
	text.WriteByte('}')
	return text.Bytes(), nil
}
