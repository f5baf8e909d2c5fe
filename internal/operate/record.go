package operate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
)

// Record is a record of a topic of the catalogue, decoded.
type Record struct {
	record.Record
	Message proto.Message // nil where the record has no value, and where Err says why it cannot be read
	Err     error
	json    bool // the value is JSON itself
	Full    bool // JSON has the fields without a value too: enums as UNSPECIFIED, empty texts and lists, false
}

// decode reads a record of the topics of these servers.
func (s Servers) decode(r record.Record) Record {
	out := Record{Record: r}
	t, ok := schemas.TopicNamed(s.prefix(), r.Topic)
	switch {
	case r.Value == nil:
		return out
	case !ok:
		out.Err = fmt.Errorf("%s is not a topic of kycbridge", r.Topic)
		return out
	}
	m, err := contract.Decode(s.Encoder, t, r.Value)
	if err != nil {
		out.Err = fmt.Errorf("not a %s: the bytes cannot be decoded", m.ProtoReflect().Descriptor().FullName())
		return out
	}
	out.Message, out.json = m, t.JSON
	return out
}

// line is a record in JSON. Scripts read it: fields are added, never renamed.
type line struct {
	Topic     string            `json:"topic"`
	Partition int32             `json:"partition"`
	Offset    int64             `json:"offset"`
	Timestamp string            `json:"timestamp"` // RFC 3339, UTC, milliseconds
	Key       string            `json:"key"`
	Headers   map[string]string `json:"headers"`
	Value     json.RawMessage   `json:"value"`           // the message in protobuf's JSON mapping; null where it cannot be read
	Error     string            `json:"error,omitempty"` // why value is null
}

// MarshalJSON renders a record, always the same way: keys sorted, no spaces.
func (r Record) MarshalJSON() ([]byte, error) {
	l := line{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		Timestamp: r.Time.UTC().Format("2006-01-02T15:04:05.000Z"),
		Key:       string(r.Key), Headers: map[string]string{}, Value: json.RawMessage("null"),
	}
	for _, h := range r.Headers {
		l.Headers[h.Key] = string(h.Value)
	}
	value, err := r.jsonValue()
	if err != nil {
		l.Error = err.Error()
	} else if value != nil {
		l.Value = value
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err = e.Encode(l)
	return out.Bytes(), err
}

func (r Record) jsonValue() (json.RawMessage, error) {
	if r.Message == nil {
		return nil, r.Err
	}
	if r.json { // as it is, with what this version has no field for
		return r.Value, nil
	}
	spaced, err := protojson.MarshalOptions{EmitDefaultValues: r.Full}.Marshal(r.Message)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Compact(&out, spaced) // protojson puts spaces in at random
	return out.Bytes(), err
}

// Words lists a message's own enum values and vendor words, in field order: what an event
// says, without its metadata. Words that are no codes, and that none of the vendors that
// the servers are asked for has as its own, are shown as their digest.
func (s Servers) Words(event proto.Message) []string {
	m, vendor := event.ProtoReflect(), s.vendorOf(event)
	var out []string
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !m.Has(fd) || fd.IsList() || fd.IsMap() {
			continue
		}
		switch fd.Kind() {
		case protoreflect.EnumKind:
			out = append(out, string(fd.Name())+"="+contract.EnumWord(fd.Enum(), m.Get(fd).Enum()))
		case protoreflect.StringKind:
			if strings.HasPrefix(string(fd.Name()), "vendor_") {
				out = append(out, fmt.Sprintf("%s=%q", fd.Name(), worded(vendor, m.Get(fd).String())))
			}
		}
	}
	return out
}

// vendorOf is the vendor that an event is of; nil for one that is not known here, and for what is no event.
func (s Servers) vendorOf(m proto.Message) *providers.Provider {
	e, ok := m.(schemas.DomainEvent)
	if !ok {
		return nil
	}
	at := slices.IndexFunc(s.Vendors, func(p providers.Provider) bool { return p.Name == e.GetMetadata().GetProvider() })
	if at < 0 {
		return nil
	}
	return &s.Vendors[at]
}

// worded is a vendor's word as a terminal shows it: itself where it is a code or one that the vendor documents, else
// its digest. Free text at the place of a word may be about a person.
func worded(vendor *providers.Provider, word string) string {
	if providers.IsCode(word) || vendor.KnowsWord(word) {
		return word
	}
	return providers.Digest(word)
}
