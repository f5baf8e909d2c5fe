package schemas

import (
	"strings"
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
)

// CloudEventHeaders gives the headers of the CloudEvents Kafka binding in
// binary mode for an event under its record key. ce_subject is what follows
// the endpoint in the key, so it is absent on an account-level notice; ce_time
// is when it happened where the vendor says so, else when it arrived.
func CloudEventHeaders(e DomainEvent, key []byte) []Header {
	meta, desc := e.GetMetadata(), e.ProtoReflect().Descriptor()
	headers := []Header{
		text("ce_specversion", "1.0"),
		text("ce_id", meta.GetEventId()),
		text("ce_source", eventSource+meta.GetTenant()+"/"+meta.GetEndpoint()),
		text("ce_type", string(desc.FullName())),
		text("ce_dataschema", schemaBase+desc.ParentFile().Path()),
	}
	at := meta.GetOccurredAt()
	if at == nil {
		at = meta.GetReceivedAt()
	}
	if at != nil {
		headers = append(headers, text("ce_time", at.AsTime().Format(time.RFC3339Nano)))
	}
	if _, subject, _ := strings.Cut(string(key), "/"); subject != "" {
		headers = append(headers, text("ce_subject", subject))
	}
	return append(headers, text("content-type", "application/protobuf"))
}

func text(key, value string) Header { return Header{Key: key, Value: []byte(value)} }
