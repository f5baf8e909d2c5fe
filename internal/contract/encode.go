// Package contract turns messages of the contract into records and back: it
// checks them against their rules, encodes them, and writes the headers of
// events. It decides nothing about a delivery, names no topic, and knows no Kafka
// library.
package contract

import (
	"sync"

	"google.golang.org/protobuf/proto"
)

// Marshal gives a record value as plain protobuf. Equal messages give equal
// bytes within one version of the protobuf library.
func Marshal(m proto.Message) ([]byte, error) { return MarshalWithRoom(m, 0) }

// MarshalWithRoom is Marshal for a value to which so many bytes will be
// appended: it has the capacity for them.
func MarshalWithRoom(m proto.Message, room int) ([]byte, error) {
	if a, ok := m.(appender); ok {
		if value, ok := appended(a, room); ok {
			return value, nil
		}
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// appender is a message with a generated encoder, which gives what the library
// would in a fraction of the time. What it finds wrong is the library's to say.
type appender interface {
	AppendWire(b []byte, valid *bool) []byte
}

// scratch is what an encoder grows. The value is then as long as it is, and not
// as long as its buffer.
type scratch struct {
	buffer []byte
	valid  bool
}

var scratches = sync.Pool{New: func() any { return &scratch{} }}

// maxScratch is how large a buffer may be that is kept, in bytes.
const maxScratch = 64 << 10

func appended(a appender, room int) ([]byte, bool) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.valid = true
	b := a.AppendWire(s.buffer[:0], &s.valid)
	if cap(b) > maxScratch {
		return b, s.valid
	}
	s.buffer = b
	return append(make([]byte, 0, len(b)+room), b...), s.valid
}

// Unmarshal reads a plain protobuf record value into m. Fields newer than this
// code are kept as unknown fields.
func Unmarshal(value []byte, m proto.Message) error { return proto.Unmarshal(value, m) }
