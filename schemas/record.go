package schemas

import (
	"bytes"
	"time"

	"google.golang.org/protobuf/proto"
)

// Header is one Kafka record header.
type Header struct {
	Key   string
	Value []byte
}

// Outgoing is one record on its way to Kafka. What decides fills it and what
// writes sends it; neither needs to know the other.
type Outgoing struct {
	Topic     string        // base name; "": the message's own topic
	Message   proto.Message // decides the topic, where none is named
	Value     []byte        // what Marshal gives of Message, where that is known; nil: whoever writes makes it
	Key       []byte        // the record key
	Partition int32         // -1: chosen from the key, as Java clients do (murmur2)
	Headers   []Header      // all headers of the record
	Offset    int64         // set once the record is committed
}

const (
	eventSource = "/kycbridge/"
	schemaBase  = "https://github.com/kycbridge/kycbridge/blob/main/proto/"

	// roomForHeaders is what an event's record has at most: eight here, and a trace, flags and a
	// replay's label beside them.
	roomForHeaders = 12
	// roomForText takes the values that each event has of its own, unless names are long.
	roomForText = 128
)

// What all events say, shared by their records.
var (
	specVersion = []byte("1.0")
	contentType = []byte("application/protobuf")
)

// CloudEventHeaders gives the headers of the CloudEvents Kafka binding in
// binary mode for an event under its record key. ce_subject is what follows
// the endpoint in the key, so it is absent on an account-level notice; ce_time
// is when it happened where the vendor says so, else when it arrived.
//
// The values share memory with the key and with those of other events: they are
// not to be changed.
func CloudEventHeaders(e DomainEvent, key []byte) []Header {
	meta, kind := e.GetMetadata(), kindOf(e.ProtoReflect().Descriptor())
	text := append(make([]byte, 0, roomForText), meta.GetEventId()...)
	id := len(text)
	text = append(append(append(append(text, eventSource...), meta.GetTenant()...), '/'), meta.GetEndpoint()...)
	source := len(text)
	headers := append(make([]Header, 0, roomForHeaders),
		Header{"ce_specversion", specVersion},
		Header{"ce_id", text[:id:id]},
		Header{"ce_source", text[id:source:source]},
		Header{"ce_type", kind.name},
		Header{"ce_dataschema", kind.schema},
	)
	at := meta.GetOccurredAt()
	if at == nil {
		at = meta.GetReceivedAt()
	}
	if at != nil {
		text = at.AsTime().AppendFormat(text, time.RFC3339Nano)
		headers = append(headers, Header{"ce_time", text[source:len(text):len(text)]})
	}
	if _, subject, _ := bytes.Cut(key, []byte("/")); len(subject) > 0 {
		headers = append(headers, Header{"ce_subject", subject})
	}
	return append(headers, Header{"content-type", contentType})
}
