package providers

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// VaryIDs replaces the ids at dotted paths by others, wherever they stand in
// body. New ids are hex digits, a UUID for a UUID, made of n and the old id, so fixtures
// that belong together still do when each is varied with the same n. Arrays are passed
// through; a body that cannot be read comes back unchanged.
func VaryIDs(body []byte, n uint64, paths ...string) []byte {
	out := bytes.Clone(body)
	doc, err := ReadObject(body)
	if err != nil {
		return out
	}
	done := map[string]bool{}
	for _, path := range paths {
		for _, id := range idsAt(nil, doc, strings.Split(path, ".")) {
			if !done[id] {
				done[id] = true
				out = bytes.ReplaceAll(out, []byte(`"`+id+`"`), []byte(`"`+varied(id, n)+`"`))
			}
		}
	}
	return out
}

func idsAt(ids []string, v *Value, path []string) []string {
	for item := range v.Items() {
		ids = idsAt(ids, item, path)
	}
	switch {
	case v.Kind() == Array:
	case len(path) > 0:
		ids = idsAt(ids, v.At(path[0]), path[1:])
	case v.Text() != "":
		ids = append(ids, v.Text())
	}
	return ids
}

// varied keeps the length of an id between 16 and 64 characters, and the form of a UUID.
func varied(id string, n uint64) string {
	sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, n), id...))
	digits := []byte(hex.EncodeToString(sum[:])[:min(max(len(id), 16), 64)])
	if isUUID(id) {
		for _, at := range []int{8, 13, 18, 23} {
			digits[at] = '-'
		}
		digits[14] = id[14] // the version
		digits[19] = id[19] // and the variant
	}
	return string(digits)
}
