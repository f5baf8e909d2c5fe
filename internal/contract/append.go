package contract

import "google.golang.org/protobuf/proto"

// Append appends the encoding of a message to b.
func Append(b []byte, m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend(b, m)
}
