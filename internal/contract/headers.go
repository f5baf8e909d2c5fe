package contract

import (
	"bytes"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

const (
	eventSource = "/kycbridge/"

	// schemaBase stands before a message's full name in its URN, which is the same wherever the
	// contract is read, and another one for another version of its package.
	schemaBase = "urn:kycbridge:"

	// roomForHeaders is what an event's record has at most beside those of its encoder: seven here, and
	// a trace, flags and a replay's label beside them.
	roomForHeaders = 11
	// roomForText takes the values that each event has of its own, unless names are long.
	roomForText = 128
)

var specVersion = []byte("1.0")

// about is what the headers of all records of an event say, in whatever form.
//
// Its values share memory with the key, and with those of one another: they are not to be changed.
type about struct{ id, source, time, subject []byte }

// newAbout tells it of an event under its record key. The subject is what follows
// the endpoint in the key, so there is none of an account-level notice; the time
// is when it happened where the vendor says so, else when it arrived.
func newAbout(e schemas.DomainEvent, key []byte) (a about) {
	meta := e.GetMetadata()
	text := append(make([]byte, 0, roomForText), meta.GetEventId()...)
	id := len(text)
	text = append(append(append(append(text, eventSource...), meta.GetTenant()...), '/'), meta.GetEndpoint()...)
	source := len(text)
	at := meta.GetOccurredAt()
	if at == nil {
		at = meta.GetReceivedAt()
	}
	if at != nil {
		text = at.AsTime().AppendFormat(text, time.RFC3339Nano)
		a.time = text[source:len(text):len(text)]
	}
	a.id, a.source = text[:id:id], text[id:source:source]
	_, a.subject, _ = bytes.Cut(key, []byte("/"))
	return a
}

// headers gives those of the CloudEvents Kafka binding in binary mode, and of the value's encoding.
func (a *about) headers(k *kind) []record.Header {
	headers := append(make([]record.Header, 0, roomForHeaders+len(k.encoding)),
		record.Header{Key: "ce_specversion", Value: specVersion},
		record.Header{Key: "ce_id", Value: a.id},
		record.Header{Key: "ce_source", Value: a.source},
		record.Header{Key: "ce_type", Value: k.name},
		record.Header{Key: "ce_dataschema", Value: k.schema},
	)
	if a.time != nil {
		headers = append(headers, record.Header{Key: "ce_time", Value: a.time})
	}
	if len(a.subject) > 0 {
		headers = append(headers, record.Header{Key: "ce_subject", Value: a.subject})
	}
	return append(headers, k.encoding...)
}

// kind is what all records of one message have in common in one form.
type kind struct {
	topic        string
	name, schema []byte
	encoding     []record.Header // content-type, and the encoder's own
}

func newKind(message protoreflect.FullName, topic string, enc Encoder) *kind {
	return &kind{
		topic: topic, name: []byte(message), schema: []byte(schemaBase + message),
		encoding: append([]record.Header{{Key: "content-type", Value: []byte(enc.ContentType())}}, enc.Headers(message)...),
	}
}
