package idnow

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/providertest"
)

func TestProvider(t *testing.T) { providertest.Run(t, underTest()) }

func FuzzProvider(f *testing.F) { providertest.Fuzz(f, underTest()) }

// underTest is Provider in tokens that are the same bytes in every run, so that the
// key of a delivery without a session id is, too.
func underTest() providers.Provider {
	p := Provider
	p.Proofs = append([]auth.Scheme{stableToken{auth.HMAC{Header: "Signature", Hash: crypto.SHA256}}}, Provider.Proofs...)
	return p
}

// stableToken has the form of a JWT and is signed with a secret: the vendor's own
// tokens differ in each run, by their keys and times.
type stableToken struct{ mac auth.HMAC }

func (s stableToken) Sign(secret auth.Secret, r *auth.Request) {
	claims := slices.Concat([]byte(`{"data":`), r.Body, []byte("}"))
	token := auth.Request{Header: http.Header{}, Body: []byte("e30." + base64.RawURLEncoding.EncodeToString(claims))}
	s.mac.Sign(secret, &token)
	r.Body = []byte(string(token.Body) + "." + token.Header.Get(s.mac.Header))
}

func (s stableToken) Verify(secrets []auth.Secret, r auth.Request) (string, error) {
	at := bytes.LastIndexByte(r.Body, '.')
	if at < 0 {
		return "", auth.ErrMismatch
	}
	h := http.Header{}
	h.Set(s.mac.Header, string(r.Body[at+1:]))
	return s.mac.Verify(secrets, auth.Request{Header: h, Body: r.Body[:at], Now: r.Now})
}

func (s stableToken) Traits() auth.Traits {
	return auth.Traits{
		Kind: "stable token", Setting: "secrets", BindsBody: true, Description: "`secrets`: a token of this test", Prompt: "token as body, secret ",
		// The goldens are those of such a secret: a key without a session id is the hash of the token.
		FromPassword: func(password string) string { return strings.ReplaceAll(password, "-", " ") },
	}
}
