package normalize

import (
	"strings"

	"google.golang.org/protobuf/proto"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	// maxEvents bounds what one delivery may become: a disposition names no more.
	maxEvents = 10000
	// recordOverhead is what a record needs beside its value: key, headers, framing.
	recordOverhead = 4096
	// idBytes is what one event id takes in a disposition.
	idBytes = 40
)

// fits reports whether a value of so many bytes may be written for the record.
func (r *Reading) fits(bytes int) bool {
	return r.maxBytes <= 0 || bytes+len(r.Raw.Key)+recordOverhead <= r.maxBytes
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
