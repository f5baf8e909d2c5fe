package normalize

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	// maxEvents bounds what one delivery may become: a disposition names no more.
	maxEvents = 10000
	// recordOverhead is what a record needs beside its value: key, headers, framing.
	recordOverhead = 4096
	// maxKey is the longest key of a raw record that is taken as it is. Those of ingest are an endpoint's name
	// and an id, at most 320 bytes; a longer one may leave no room for a value beside it.
	maxKey = 1024
	// idBytes is what one event id takes in a disposition.
	idBytes = 40
)

// fits reports whether a value of so many bytes may be written for the record.
func (r *Reading) fits(bytes int) bool {
	return r.maxBytes <= 0 || bytes+len(r.Raw.Key)+recordOverhead <= r.maxBytes
}

// keyProblem says why a raw record's key is none of ours; "" where it may be.
func keyProblem(key []byte) string {
	switch n := len(key); {
	case n == 0:
		return "the raw record has no key"
	case n > maxKey:
		return fmt.Sprintf("the raw record's key has %d bytes; expected at most %d", n, maxKey)
	}
	return ""
}

// standInKey is the key of what is written for a raw record whose own key cannot be used: without one its
// dead letter could not be written, and it would hold its partition for ever.
func standInKey(value []byte) []byte {
	sum := sha256.Sum256(value)
	return hex.AppendEncode(nil, sum[:])
}

// shrink leaves the body out of a dead letter that would not fit: the raw record still has it, and
// a record that can never be written would block its partition for ever.
func (r *Reading) shrink(letter *kycv1.DeadLetter) {
	if r.fits(proto.Size(letter)) {
		return
	}
	envelope := proto.CloneOf(letter.GetEnvelope())
	envelope.Body = nil
	letter.Envelope = envelope
	if !r.fits(proto.Size(letter)) {
		envelope.Headers = nil
	}
	letter.Detail = cut(letter.GetDetail()+" (without its body, which did not fit; the raw record has it)", 4096)
}

// cut shortens a string to at most n bytes of whole characters, and leaves out what is none.
func cut(s string, n int) string { return strings.ToValidUTF8(s[:min(len(s), n)], "") }
