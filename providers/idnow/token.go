package idnow

import (
	"cmp"
	"strings"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

// signatureHeader holds the token in the older form of delivery, beside a JSON
// body that nothing binds to it and that is therefore never read.
//
// There the token is the event itself, so ingest stores it as the body, as the newer
// form does, and not among the headers; envelopes of before have it there. It is a
// signed statement and no credential: it opens nothing at the vendor, is meant for this
// endpoint alone (aud), ends within about an hour (exp), and who posts it again posts a
// duplicate.
const signatureHeader = "X-Idnow-Signature"

// tokens returns the compact tokens of a delivery, "" where there is none. A body
// that begins with a brace is the older form's; no token begins with one.
func tokens(d *providers.Delivery) (body, header string, err error) {
	text := auth.Bare(d.Body)
	if len(text) > 0 && text[0] != '{' {
		body = string(text)
	}
	switch values := d.Headers.Values(signatureHeader); len(values) {
	case 0:
	case 1:
		header = strings.TrimSpace(values[0])
	default:
		err = &providers.Problem{Field: signatureHeader, Detail: "the header is there more than once", Err: providers.ErrMismatch}
	}
	return body, header, err
}

// claims decodes the claims of a token. It verifies nothing: ingest has done that
// over these very bytes.
func claims(token string) ([]byte, error) {
	text, err := auth.Claims([]byte(token))
	if err != nil {
		return nil, noToken("what cannot be decoded as one")
	}
	return text, nil
}

// noToken is the problem of a delivery that has none in either place.
func noToken(found string) error {
	return &providers.Problem{Detail: "found " + found + ", want a JWT in the body or in header " + signatureHeader, Err: providers.ErrMalformed}
}

// key is data.payload.sessionId, which every delivery carries, and the id of a classic identification.
func key(d *providers.Delivery) string {
	body, header, _ := tokens(d)
	if body == "" && header == "" {
		return classicKey(d.Body)
	}
	text, err := claims(cmp.Or(body, header))
	if err != nil {
		return ""
	}
	session := func(name string) string { return providers.ScanID(text, "data", "payload", name) }
	return cmp.Or(session("sessionId"), session("session_id"), classicKey(text, "data"), classicKey(text))
}

// readClaims returns the claims of a token.
func readClaims(token string) (*providers.Value, error) {
	text, err := claims(token)
	if err != nil {
		return nil, err
	}
	return providers.ReadObject(text)
}
