// Package wire is what generated encoders share: the pieces of the protobuf format that take more
// than an append.
package wire

import (
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Begin leaves room for the length of what follows. End is given where that is.
func Begin(b []byte) []byte { return append(b, 0) }

// End writes the length of all behind begin, and moves that where the length takes more than a byte.
func End(b []byte, begin int) []byte {
	size := uint64(len(b) - begin - 1)
	if size < 1<<7 {
		b[begin] = byte(size)
		return b
	}
	var room [10]byte
	return slices.Replace(b, begin, begin+1, protowire.AppendVarint(room[:0], size)...)
}

// String writes a text. It unsets valid where that is not UTF-8, which the format does not allow.
func String(b []byte, s string, valid *bool) []byte {
	if !utf8.ValidString(s) {
		*valid = false
	}
	return protowire.AppendString(b, s)
}

// mostOnStack entries of a map are sorted without an allocation.
const mostOnStack = 32

// StringMap writes the entries of a map in the order of their keys; tag is the field's.
func StringMap(b, tag []byte, m map[string]string, valid *bool) []byte {
	if len(m) == 0 {
		return b
	}
	var room [mostOnStack]string
	keys := room[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		b = append(b, tag...)
		begin := len(b)
		b = String(append(Begin(b), keyTag), k, valid)
		b = String(append(b, valueTag), m[k], valid)
		b = End(b, begin)
	}
	return b
}

// The tags of an entry's two texts.
const keyTag, valueTag = 1<<3 | byte(protowire.BytesType), 2<<3 | byte(protowire.BytesType)

// Timestamp writes the fields of a time.
func Timestamp(b []byte, t *timestamppb.Timestamp) []byte {
	if s := t.GetSeconds(); s != 0 {
		b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), uint64(s))
	}
	if n := t.GetNanos(); n != 0 {
		b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(n))
	}
	return append(b, t.ProtoReflect().GetUnknown()...)
}
