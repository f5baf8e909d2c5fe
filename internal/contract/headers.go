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
	schemaBase  = "https://github.com/kycbridge/kycbridge/blob/main/proto/"

	// roomForHeaders is what an event's record has at most: eight here, and a trace, flags and a
	// replay's label beside them.
	roomForHeaders = 12
	// roomForText takes the values that each event has of its own, unless names are long.
	roomForText = 128
)

var specVersion = []byte("1.0")

// cloudEventHeaders gives the headers of the CloudEvents Kafka binding in
// binary mode for an event under its record key. ce_subject is what follows
// the endpoint in the key, so it is absent on an account-level notice; ce_time
// is when it happened where the vendor says so, else when it arrived.
//
// The values share memory with the key and with those of other events: they are
// not to be changed.
func cloudEventHeaders(e schemas.DomainEvent, key, contentType []byte) []record.Header {
	meta, kind := e.GetMetadata(), kindOf(e.ProtoReflect().Descriptor())
	text := append(make([]byte, 0, roomForText), meta.GetEventId()...)
	id := len(text)
	text = append(append(append(append(text, eventSource...), meta.GetTenant()...), '/'), meta.GetEndpoint()...)
	source := len(text)
	headers := append(make([]record.Header, 0, roomForHeaders),
		record.Header{Key: "ce_specversion", Value: specVersion},
		record.Header{Key: "ce_id", Value: text[:id:id]},
		record.Header{Key: "ce_source", Value: text[id:source:source]},
		record.Header{Key: "ce_type", Value: kind.name},
		record.Header{Key: "ce_dataschema", Value: kind.schema},
	)
	at := meta.GetOccurredAt()
	if at == nil {
		at = meta.GetReceivedAt()
	}
	if at != nil {
		text = at.AsTime().AppendFormat(text, time.RFC3339Nano)
		headers = append(headers, record.Header{Key: "ce_time", Value: text[source:len(text):len(text)]})
	}
	if _, subject, _ := bytes.Cut(key, []byte("/")); len(subject) > 0 {
		headers = append(headers, record.Header{Key: "ce_subject", Value: subject})
	}
	return append(headers, record.Header{Key: "content-type", Value: contentType})
}

// kind is what the headers of every event of one message say.
type kind struct{ name, schema []byte }

// kinds finds those of the domain events: it is asked for every record.
var kinds = indexKinds()

func indexKinds() map[protoreflect.FullName]kind {
	index := map[protoreflect.FullName]kind{}
	for _, t := range schemas.Topics() {
		if d := t.Message.ProtoReflect().Descriptor(); t.Domain {
			index[d.FullName()] = newKind(d)
		}
	}
	return index
}

func newKind(d protoreflect.MessageDescriptor) kind {
	return kind{name: []byte(d.FullName()), schema: []byte(schemaBase + d.ParentFile().Path())}
}

func kindOf(d protoreflect.MessageDescriptor) kind {
	if k, ok := kinds[d.FullName()]; ok {
		return k
	}
	return newKind(d)
}
