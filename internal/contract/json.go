package contract

import (
	"bytes"
	"encoding/json"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

// JSON is the Encoder of protobuf's JSON mapping, on one line: every field is there whether it is
// set or not, but for messages and optional fields that are not, which are left out. Enums are
// their names, numbers of 64 bits text. A number that this version has no name of an enum for stays a
// number, and a field that it does not know is left out.
type JSON struct{}

var (
	jsonOut = protojson.MarshalOptions{EmitDefaultValues: true}
	jsonIn  = protojson.UnmarshalOptions{DiscardUnknown: true}
)

// Encode implements Encoder.
func (JSON) Encode(m proto.Message) ([]byte, error) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	spaced, err := jsonOut.MarshalAppend(s.buffer[:0], m)
	if err != nil {
		return nil, err
	}
	if cap(spaced) <= maxScratch {
		s.buffer = spaced
	}
	out := bytes.NewBuffer(make([]byte, 0, len(spaced)))
	err = json.Compact(out, spaced) // protojson puts spaces in at random
	return out.Bytes(), err
}

// Decode implements Encoder. What is newer than this code is left out.
func (JSON) Decode(value []byte, m proto.Message) error { return jsonIn.Unmarshal(value, m) }

// ContentType implements Encoder.
func (JSON) ContentType() string { return "application/json" }

// Headers implements Encoder: there are none.
func (JSON) Headers(protoreflect.FullName) []record.Header { return nil }

// Twins is the form of the JSON topics beside the domain topics.
func Twins() Form { return Form{Encoder: JSON{}, Topics: basesOf(schemas.JSONTopics())} }
