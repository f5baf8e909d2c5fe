package schemas

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"

	"google.golang.org/protobuf/proto"
)

// ErrNotFramed means that bytes do not begin with a Confluent frame.
var ErrNotFramed = errors.New("not in Confluent framing")

const (
	frameMagic = 0
	idBytes    = 4
	// Depth of nested message types a frame may point into; ours are not nested.
	maxIndexes = 32
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

// Frame puts the Confluent frame in front of a plain protobuf value: the magic
// byte 0, the registry's schema id in four bytes, and the message index, which
// is a single 0 because a topic's message is the first in its file.
func Frame(schemaID uint32, value []byte) []byte {
	framed := make([]byte, 0, 1+idBytes+1+len(value))
	framed = append(framed, frameMagic)
	framed = binary.BigEndian.AppendUint32(framed, schemaID)
	framed = append(framed, 0)
	return append(framed, value...)
}

// Unframe takes a Confluent frame apart: the schema id, the path to the message
// type in its schema, and the plain protobuf value, which shares memory with
// framed. Errors wrap ErrNotFramed and say at which byte.
func Unframe(framed []byte) (schemaID uint32, index []int, value []byte, err error) {
	if len(framed) < 1+idBytes+1 {
		return 0, nil, nil, fmt.Errorf("%w: %d bytes, expected at least 6", ErrNotFramed, len(framed))
	}
	if framed[0] != frameMagic {
		return 0, nil, nil, fmt.Errorf("%w: byte 0 is 0x%02x, expected the magic byte 0x00", ErrNotFramed, framed[0])
	}
	schemaID = binary.BigEndian.Uint32(framed[1:])
	index, value, err = readIndex(framed[1+idBytes:])
	return schemaID, index, value, err
}

// readIndex reads the count and the indexes, zigzag varints both. A count of 0
// is short for the path [0].
func readIndex(b []byte) ([]int, []byte, error) {
	count, n := binary.Varint(b)
	switch {
	case n <= 0 || count < 0 || count > maxIndexes:
		return nil, nil, fmt.Errorf("%w: byte 5 holds no count of message indexes from 0 to %d", ErrNotFramed, maxIndexes)
	case count == 0:
		return []int{0}, b[n:], nil
	}
	b = b[n:]
	index := make([]int, count)
	for i := range index {
		v, n := binary.Varint(b)
		if n <= 0 || v < 0 || v > math.MaxInt32 {
			return nil, nil, fmt.Errorf("%w: message index %d of %d is missing or out of range", ErrNotFramed, i+1, count)
		}
		index[i], b = int(v), b[n:]
	}
	return index, b, nil
}
