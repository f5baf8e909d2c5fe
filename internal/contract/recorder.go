package contract

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

// Encoder is how domain events are written. Everything else is plain protobuf
// whatever it is, since kycbridge itself reads it back.
type Encoder interface {
	// Encode makes the value of an event. Equal events give equal values.
	Encode(e schemas.DomainEvent) ([]byte, error)
	// Decode reads into m what Encode made of a message of its type.
	Decode(value []byte, m proto.Message) error
	// ContentType is the header of that name beside the value.
	ContentType() string
}

// Protobuf is the Encoder of plain protobuf.
type Protobuf struct{}

// Encode implements Encoder.
func (Protobuf) Encode(e schemas.DomainEvent) ([]byte, error) { return Marshal(e) }

// Decode implements Encoder.
func (Protobuf) Decode(value []byte, m proto.Message) error { return Unmarshal(value, m) }

// ContentType implements Encoder.
func (Protobuf) ContentType() string { return "application/protobuf" }

// Recorder makes records of events: validated, encoded, and with their headers. It
// is the one place where an event becomes a record.
type Recorder struct {
	rules       Rules
	encoder     Encoder
	contentType []byte
}

// NewRecorder returns a Recorder; a nil Encoder is Protobuf.
func NewRecorder(rules Rules, enc Encoder) Recorder {
	if enc == nil {
		enc = Protobuf{}
	}
	return Recorder{rules, enc, []byte(enc.ContentType())}
}

// Event makes the record of an event under a key. A Violation says that it breaks
// its rules, ErrUnencodable that it cannot be written; any other error is a fault of
// the rules themselves.
//
// Its headers are those of CloudEvents, with room for more.
func (r Recorder) Event(e schemas.DomainEvent, key []byte) (record.Outgoing, error) {
	if err := r.rules.Validate(e); err != nil {
		return record.Outgoing{}, err
	}
	value, err := r.encoder.Encode(e)
	if err != nil {
		return record.Outgoing{}, fmt.Errorf("%w: %w", ErrUnencodable, err)
	}
	topic, ok := schemas.TopicFor(e)
	if !ok {
		return record.Outgoing{}, fmt.Errorf("%s is no message of a topic", nameOf(e))
	}
	return record.Outgoing{
		Topic: topic.Base, Key: key, Value: value, Partition: record.ByKey, Headers: cloudEventHeaders(e, key, r.contentType),
	}, nil
}

// Decode reads the value of a record of a topic: with the Encoder where it holds
// events, else as plain protobuf. nil is plain protobuf everywhere.
func Decode(enc Encoder, t schemas.Topic, value []byte) (proto.Message, error) {
	m := t.New()
	if t.Domain && enc != nil {
		return m, enc.Decode(value, m)
	}
	return m, Unmarshal(value, m)
}

// ErrUnencodable says that a message cannot be written: a text in it is not UTF-8.
var ErrUnencodable = errors.New("cannot be encoded")
