// Package contract turns messages of the contract into records and back: it
// checks them against their rules, encodes them, and writes the headers of
// events. It decides nothing about a delivery, names no topic, and knows no Kafka
// library.
package contract

import (
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract/generated"
)

// Marshal gives a record value as plain protobuf. Equal messages give equal
// bytes within one version of the protobuf library.
func Marshal(m proto.Message) ([]byte, error) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	b, err := Append(s.buffer[:0], m)
	if err != nil {
		return nil, err
	}
	if cap(b) > maxScratch {
		return b, nil
	}
	s.buffer = b
	return append(make([]byte, 0, len(b)), b...), nil // never nil, which would be a tombstone
}

// Append is Marshal behind b. A message that follows another one of its type
// adds its fields to it.
func Append(b []byte, m proto.Message) ([]byte, error) {
	if out, ok := generated.Append(b, m); ok {
		return out, nil
	}
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend(b, m)
}

// scratch is what an encoder grows. The value is then as long as it is, and not
// as long as its buffer.
type scratch struct{ buffer []byte }

var scratches = sync.Pool{New: func() any { return &scratch{} }}

// maxScratch is how large a buffer may be that is kept, in bytes.
const maxScratch = 64 << 10

// Unmarshal reads a plain protobuf record value into m. Fields newer than this
// code are kept as unknown fields.
func Unmarshal(value []byte, m proto.Message) error { return proto.Unmarshal(value, m) }
