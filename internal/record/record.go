// Package record is a Kafka record on its way out or as it was read: what decides
// fills it, what writes sends it, and neither needs to know the other nor the client
// between them. It knows no topic and no message.
package record

import "google.golang.org/protobuf/proto"

// Header is one Kafka record header.
type Header struct {
	Key   string
	Value []byte
}

// Outgoing is one record on its way to Kafka.
type Outgoing struct {
	Topic     string        // base name; "": the message's own topic
	Message   proto.Message // decides the topic, where none is named
	Value     []byte        // what Marshal gives of Message, where that is known; nil: whoever writes makes it
	Key       []byte        // the record key
	Partition int32         // -1: chosen from the key, as Java clients do (murmur2)
	Headers   []Header      // all headers of the record
	Offset    int64         // set once the record is committed
}
