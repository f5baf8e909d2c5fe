package normalize

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/kycbridge/kycbridge/internal/record"
)

const headerTrace = "traceparent"

// The lengths in hex of what a traceparent holds.
const (
	traceSize = 32
	spanSize  = 16
)

// traced is the trace header of a record that is no event, with a span of its own.
func (r *Reading) traced(what string) []record.Header {
	var text [64]byte
	sum := sha256.Sum256(append(append(text[:0], what...), r.Envelope.GetDeliveryId()...))
	var span [spanSize]byte
	hex.Encode(span[:], sum[:spanSize/2])
	return r.trace(nil, span[:])
}

// trace continues the trace that ingest began: the delivery's id is the trace's.
func (r *Reading) trace(headers []record.Header, span []byte) []record.Header {
	var room [traceSize]byte
	trace := appendCompact(room[:0], r.Envelope.GetDeliveryId())
	if len(trace) != traceSize {
		return headers
	}
	value := append(make([]byte, 0, len("00-")+traceSize+1+spanSize+len("-01")), "00-"...)
	value = append(append(value, trace...), '-')
	value = append(append(value, span...), "-01"...)
	return append(headers, record.Header{Key: headerTrace, Value: value})
}

// appendCompact writes a UUID in lower case and without its dashes.
func appendCompact(b []byte, id string) []byte {
	for i := range len(id) {
		switch c := id[i]; {
		case c == '-':
		case 'A' <= c && c <= 'Z':
			b = append(b, c-'A'+'a')
		default:
			b = append(b, c)
		}
	}
	return b
}
