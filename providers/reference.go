package providers

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// referenceHashed is the kind of drift of a reference that left as its digest.
const referenceHashed = "reference_hashed"

// hide gives the Digest of a customer's reference, and keeps the reference for asIs.
func (m *Mapping) hide(reference string) string {
	digest := Digest(reference)
	if m.references == nil {
		m.references = map[string]string{}
	}
	m.references[digest] = reference
	return digest
}

// asIs puts the customer's references back into subject.customer_reference, and nowhere
// else: what a mapper made of a reference besides, such as an attribute, stays a digest.
// What may not leave in any case stays one, too. It is drift only where some did.
func (m *Mapping) asIs() {
	back := 0
	for digest, reference := range m.references {
		if mayLeave(reference) && m.putBack(digest, reference) {
			back++
		}
	}
	if back == len(m.references) {
		m.Drift = slices.DeleteFunc(m.Drift, func(d Drift) bool { return d.Kind == referenceHashed })
	}
}

// putBack reports whether there was an event that had the digest.
func (m *Mapping) putBack(digest, reference string) (found bool) {
	for _, e := range m.Events {
		if s := e.GetMetadata().GetSubject(); s.GetCustomerReference() == digest {
			s.CustomerReference, found = reference, true
		}
	}
	return found
}

// mayLeave reports whether a reference may leave as it is at all: one line of at most
// maxReference bytes, and no token, since that opens something.
func mayLeave(reference string) bool {
	return len(reference) <= maxReference && utf8.ValidString(reference) && !strings.ContainsFunc(reference, isControl) && !isToken(reference)
}
