package contract

import (
	"encoding/binary"
	"errors"
)

// The wire format of Confluent's serializers: a zero byte, the id of the schema in four bytes, the place of the
// message in its file, and the message.
const (
	frameMagic = 0
	frameID    = 5 // bytes before the place
)

var errFrame = errors.New("the frame before the message is cut off, or is of another message than the first of its file")

// unframe gives the protobuf of a value that may have a frame before it, so that a topic may hold both after its
// encoding was changed. No message begins with a zero byte: it would be the tag of field 0, which there is not, and an
// event begins with that of field 1. An event that says nothing has no bytes at all.
func unframe(value []byte) ([]byte, error) {
	if len(value) == 0 || value[0] != frameMagic {
		return value, nil
	}
	if len(value) <= frameID {
		return nil, errFrame
	}
	rest := value[frameID:]
	places, n := binary.Varint(rest)
	if n <= 0 || places < 0 || places > 1 {
		return nil, errFrame
	}
	rest = rest[n:]
	if places == 0 { // short for: the first
		return rest, nil
	}
	place, n := binary.Varint(rest)
	if n <= 0 || place != 0 {
		return nil, errFrame
	}
	return rest[n:], nil
}
