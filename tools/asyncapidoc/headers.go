package main

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/schemas"
)

// common are the headers that any record may have beside those of CloudEvents.
var common = map[string]schema{
	"traceparent": {Type: "string", Description: "W3C trace context; its trace id is the delivery's id", Pattern: "^00-[0-9a-f]{32}-[0-9a-f]{16}-01$"},
	"replay":      {Type: "string", Description: "The id of the replay that wrote the record; absent as a rule"},
}

// traced are the headers of what is no event.
func traced() schema { return schema{Type: "object", Properties: common} }

// optional are the headers of events that are not always there.
var optional = map[string]schema{
	"ce_subject":       {Type: "string", Description: "What follows the endpoint in the key; absent on notices about a whole account"},
	"ce_schemasubject": {Type: "string", Description: "Where a schema registry is configured: the subject that the value's schema has there"},
	"ce_schemaversion": {Type: "string", Description: "Where a schema registry is configured: the schema's version under that subject", Pattern: "^[0-9]+$"},
	"dedupe":           {Type: "string", Description: "Something unusual was decided; absent as a rule", Enum: []string{"conflict", "unconfirmed", "unverified"}},
	"stale":            {Type: "string", Description: "It had happened long before it arrived; absent as a rule", Const: "true"},
}

// own are the headers whose values differ from event to event.
var own = map[string]schema{
	"ce_id":     {Type: "string", Format: "uuid", Description: "The event's id, the same at every reading: use it as idempotency key"},
	"ce_source": {Type: "string", Pattern: "^/kycbridge/[^/]+/[^/]+$", Description: "/kycbridge/<tenant>/<endpoint>"},
	"ce_time":   {Type: "string", Format: "date-time", Description: "When it happened; where the vendor does not say, when it arrived"},
}

// eventHeaders are those of a domain topic, and its content type: what a record of it really has, and what it may have.
func eventHeaders(t schemas.Topic) (schema, string, error) {
	written, err := headersOf(t)
	if err != nil {
		return schema{}, "", err
	}
	s := schema{Type: "object", Properties: maps.Clone(common)}
	maps.Copy(s.Properties, optional)
	for name, value := range written {
		switch _, known := optional[name]; {
		case known:
			continue
		case own[name].Type != "":
			s.Properties[name] = own[name]
		default:
			s.Properties[name] = schema{Type: "string", Const: value}
		}
		s.Required = append(s.Required, name)
	}
	slices.Sort(s.Required)
	return s, written["content-type"], nil
}

// headersOf are the headers that are written beside an event of a topic.
func headersOf(t schemas.Topic) (map[string]string, error) {
	e, ok := t.New().(schemas.DomainEvent)
	if !ok {
		return nil, fmt.Errorf("%s is no topic of events", t.Base)
	}
	if err := protojson.Unmarshal([]byte(`{"metadata": {"receivedAt": "2026-01-02T03:04:05Z"}}`), e); err != nil {
		return nil, err
	}
	form := contract.Domain(nil)
	if t.TwinOf != "" {
		form = contract.Twins()
	}
	recorder := contract.NewRecorder(anything{}, form)
	records, err := recorder.Append(nil, e, []byte("endpoint/subject"))
	if err != nil {
		return nil, err
	}
	headers := map[string]string{}
	for _, h := range records[0].Headers {
		headers[h.Key] = string(h.Value)
	}
	return headers, nil
}

// anything are rules that every event keeps.
type anything struct{}

func (anything) Validate(proto.Message) error { return nil }
