package contract

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

// Form is one way in which domain events are written: where, and how. All forms of an event
// share its key, and so its partition number where their topics have as many, and its id.
//
// The first form of a Recorder is the one that limits are about. Processes that write the same
// topics need the same forms.
type Form struct {
	// Encoder makes the values; nil is Protobuf.
	Encoder Encoder
	// Topics gives the topic, by base name, for each message that is written in this form. An
	// event whose message is not among them is not written in it.
	Topics map[protoreflect.FullName]string
	// Convert makes of an event the message to write, as of a v1 its v2, which must keep the
	// event's id; nil, or a nil message: none is written. Its error makes the delivery a dead
	// letter. No Convert: the event itself is written.
	Convert func(e schemas.DomainEvent) (proto.Message, error)
}

// Domain is the form of the domain topics themselves; a nil Encoder is Protobuf.
func Domain(enc Encoder) Form {
	domain := slices.DeleteFunc(schemas.Topics(), func(t schemas.Topic) bool { return !t.Domain })
	return Form{Encoder: enc, Topics: basesOf(domain)}
}

// basesOf gives the topic of each message.
func basesOf(topics []schemas.Topic) map[protoreflect.FullName]string {
	bases := make(map[protoreflect.FullName]string, len(topics))
	for _, t := range topics {
		bases[fullName(t.Message)] = t.Base
	}
	return bases
}

// Encoder is how the values of domain events are written. Everything else is plain protobuf
// whatever it is, since kycbridge itself reads it back.
type Encoder interface {
	// Encode makes the value of a message. Equal messages give equal values.
	Encode(m proto.Message) ([]byte, error)
	// Decode reads into m what Encode made of a message of its type.
	Decode(value []byte, m proto.Message) error
	// ContentType is the header of that name beside the value.
	ContentType() string
	// Headers are what the headers of every record of a message say of its value beside that,
	// such as the id of its schema. It is asked once for each message.
	Headers(message protoreflect.FullName) []record.Header
}

// Protobuf is the Encoder of plain protobuf.
type Protobuf struct{}

// Encode implements Encoder.
func (Protobuf) Encode(m proto.Message) ([]byte, error) { return Marshal(m) }

// Decode implements Encoder. It reads what Confluent's serializers wrote as well, whatever is written today.
func (Protobuf) Decode(value []byte, m proto.Message) error {
	plain, err := unframe(value)
	if err != nil {
		return err
	}
	return Unmarshal(plain, m)
}

// ContentType implements Encoder.
func (Protobuf) ContentType() string { return "application/protobuf" }

// Headers implements Encoder: there are none.
func (Protobuf) Headers(protoreflect.FullName) []record.Header { return nil }

// Decode reads the value of a record of a topic: with the Encoder where it holds
// events, as JSON where it holds JSON, else as plain protobuf. nil is plain protobuf.
func Decode(enc Encoder, t schemas.Topic, value []byte) (proto.Message, error) {
	m := t.New()
	switch {
	case t.JSON:
		return m, JSON{}.Decode(value, m)
	case t.Domain:
		if enc == nil {
			enc = Protobuf{}
		}
		return m, enc.Decode(value, m)
	}
	return m, Unmarshal(value, m)
}

func fullName(m proto.Message) protoreflect.FullName { return m.ProtoReflect().Descriptor().FullName() }
