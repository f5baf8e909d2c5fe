// Package authtest holds a scheme that no vendor has. The tests of all who handle schemes
// without knowing them give it to a vendor, each in a TestNewScheme: the suite of the
// vendors, the configuration, the vendors' document, `dev`, and `send`.
//
// It is for tests alone, and tests nothing itself.
package authtest

import (
	"crypto"
	"slices"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// Reversed is an HMAC over the body read backwards, under a password read backwards.
type Reversed struct{}

var _ auth.Scheme = Reversed{}

var mac = auth.HMAC{Header: "X-Reversed", Hash: crypto.SHA256}

// Verify reads the body backwards.
func (Reversed) Verify(secrets []auth.Secret, r auth.Request) (string, error) {
	r.Body = backwards(r.Body)
	return mac.Verify(secrets, r)
}

// Sign sets the header. A zero Secret signs nothing.
func (Reversed) Sign(s auth.Secret, r *auth.Request) {
	mac.Sign(s, &auth.Request{Header: r.Header, Body: backwards(r.Body)})
}

// Traits are all that anybody else knows of it.
func (Reversed) Traits() auth.Traits {
	return auth.Traits{
		Kind: "reversed_hmac", Setting: "secrets", Header: mac.Header, BindsBody: true,
		Check:        auth.Bearer{}.Traits().Check, // printable ASCII
		FromPassword: func(password string) string { return string(backwards([]byte(password))) },
		Description:  "`secrets`: HMAC-SHA256 of the raw body read backwards",
		Prompt:       "read backwards, secret ",
	}
}

func backwards(text []byte) []byte {
	text = slices.Clone(text)
	slices.Reverse(text)
	return text
}
