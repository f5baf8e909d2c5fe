package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/schemas"
)

// line is a record as `tail` prints it. Scripts read it: fields are added,
// never renamed.
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

// jsonLine renders a record, always the same way: keys sorted, no spaces.
func jsonLine(r *kgo.Record, prefix string) []byte {
	l := line{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		Timestamp: r.Timestamp.UTC().Format("2006-01-02T15:04:05.000Z"),
		Key:       string(r.Key), Headers: map[string]string{}, Value: json.RawMessage("null"),
	}
	for _, h := range r.Headers {
		l.Headers[h.Key] = string(h.Value)
	}
	if value, err := jsonValue(r, prefix); err != nil {
		l.Error = err.Error()
	} else {
		l.Value = value
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil {
		return fmt.Appendf(nil, "{\"topic\":%q,\"partition\":%d,\"offset\":%d,\"error\":%q}\n", r.Topic, r.Partition, r.Offset, err)
	}
	return out.Bytes()
}

func jsonValue(r *kgo.Record, prefix string) (json.RawMessage, error) {
	if r.Value == nil {
		return json.RawMessage("null"), nil
	}
	m, err := decodeRecord(r, prefix)
	if err != nil {
		return nil, err
	}
	spaced, err := protojson.Marshal(m)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Compact(&out, spaced) // protojson puts spaces in at random
	return out.Bytes(), err
}

func decodeRecord(r *kgo.Record, prefix string) (proto.Message, error) {
	t, ok := schemas.TopicNamed(prefix, r.Topic)
	if !ok {
		return nil, fmt.Errorf("%s is no topic of the catalogue", r.Topic)
	}
	m := t.New()
	if err := proto.Unmarshal(r.Value, m); err != nil {
		return nil, fmt.Errorf("not a %s: the bytes cannot be decoded", m.ProtoReflect().Descriptor().FullName())
	}
	return m, nil
}

// shortLine renders a record for a person who watches: when, topic, key, what
// happened. It shows what the event says and none of its metadata.
func shortLine(r *kgo.Record, prefix string) []byte {
	when := r.Timestamp.Local().Format(time.TimeOnly)
	m, err := decodeRecord(r, prefix)
	if err != nil {
		return fmt.Appendf(nil, "%s  %-18s %s  (%v)\n", when, r.Topic, shown(string(r.Key)), err)
	}
	what := words(m.ProtoReflect())
	if e, ok := m.(schemas.DomainEvent); ok {
		what = append(what, "("+shown(e.GetMetadata().GetVendorEventType())+")")
	}
	return fmt.Appendf(nil, "%s  %-18s %s  %s\n", when, r.Topic, shown(string(r.Key)), strings.Join(what, " "))
}

// shown quotes text from outside that could move a terminal's cursor.
func shown(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// words lists a message's own enum values and vendor words, in field order.
func words(m protoreflect.Message) []string {
	var out []string
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !m.Has(fd) || fd.IsList() || fd.IsMap() {
			continue
		}
		switch fd.Kind() {
		case protoreflect.EnumKind:
			out = append(out, string(fd.Name())+"="+enumWord(fd.Enum(), m.Get(fd).Enum()))
		case protoreflect.StringKind:
			if strings.HasPrefix(string(fd.Name()), "vendor_") {
				out = append(out, fmt.Sprintf("%s=%q", fd.Name(), m.Get(fd).String()))
			}
		}
	}
	return slices.Clip(out)
}

// enumWord is a value without the enum's name in front: DECISION_APPROVED is
// APPROVED.
func enumWord(e protoreflect.EnumDescriptor, n protoreflect.EnumNumber) string {
	v := e.Values().ByNumber(n)
	if v == nil {
		return fmt.Sprint(n)
	}
	first, _, _ := strings.Cut(string(e.Values().Get(0).Name()), "UNSPECIFIED")
	return strings.TrimPrefix(string(v.Name()), first)
}
