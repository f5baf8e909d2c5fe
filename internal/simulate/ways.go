package simulate

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

const (
	devUser     = "dev"          // of basic credentials
	devHeader   = "X-Auth-Token" // where a vendor sends headers of the customer's choice
	devKeyID    = "dev"
	devSecretID = "dev"
	devKeyBits  = 2048
)

// Way is one way in which a vendor proves itself to an endpoint of `dev`,
// filled in so that it can sign as well.
type Way struct {
	Endpoint string // of dev, that takes this way
	scheme   auth.Scheme
	value    string      // the secret as a configuration holds it
	secret   auth.Secret // the same, to sign with
	token    *Way        // the token that the vendor signs all the same; nil for none
}

// waysOf are the ways of a vendor in dev. The endpoint named after the vendor
// takes the first; each other one has an endpoint of its own, named after it
// too. key is the private key, in PEM, of a vendor that signs tokens: its events are
// in them, so a secret in a header comes on top.
func waysOf(v providers.Provider, secret string, key []byte) ([]Way, error) {
	var ways []Way
	for i, scheme := range v.Ways() {
		w := Way{Endpoint: v.Name, scheme: scheme, value: secret}
		name := strings.ReplaceAll(auth.Kind(scheme), "_", "-")
		switch s := scheme.(type) {
		case auth.Basic:
			if !strings.Contains(secret, ":") {
				w.value = devUser + ":" + secret
			}
		case auth.Header:
			w.scheme = auth.Header{Name: devHeader}
			if tokenSigned(v) {
				token := ways[0]
				w.token = &token
			}
		case auth.JWT:
			s.Issuer, s.Audience, s.KeyID = devIssuer(v.Name), devAudience(v.Name), devKeyID
			w.scheme, w.value = s, string(key)
			if s.Header != "" {
				name += "-header"
			}
		}
		if i > 0 {
			w.Endpoint += "-" + name
		}
		var err error
		if w.secret, err = auth.NewSecret(devSecretID, []byte(w.value), time.Time{}, time.Time{}); err != nil {
			return nil, fmt.Errorf("%s: %w", w.Endpoint, err)
		}
		ways = append(ways, w)
	}
	return ways, nil
}

func devIssuer(vendor string) string   { return "https://" + vendor + ".invalid/oidc" }
func devAudience(vendor string) string { return "https://hooks.invalid/" + vendor }

// tokenSigned reports whether a vendor signs by tokens, and so needs a key.
func tokenSigned(v providers.Provider) bool {
	_, ok := v.Ways()[0].(auth.JWT)
	return ok
}

// unsigned is the body of a fixture as the vendor's package reads it: inside a
// token, where the vendor sends one, which nobody signed.
func unsigned(v providers.Provider, body []byte) []byte {
	token, ok := v.Ways()[0].(auth.JWT)
	if !ok {
		return body
	}
	claims := fmt.Appendf(nil, "{%q:%s}", token.Claim, body)
	return []byte("e30." + base64.RawURLEncoding.EncodeToString(claims) + ".e30")
}

// BindsBody reports whether the proof covers the body, so that a changed body is refused.
func (w Way) BindsBody() bool { return auth.BindsBody(w.scheme) }

// Forged is the way with a secret that nobody configured.
func (w Way) Forged() (Way, error) {
	value := []byte("not-" + w.value)
	if auth.Keyless(w.scheme) {
		var err error
		if value, err = makeKey(); err != nil {
			return w, err
		}
	}
	var err error
	w.secret, err = auth.NewSecret(devSecretID, value, time.Time{}, time.Time{})
	return w, err
}

// seal makes the delivery of a body, with what proves its sender in h.
func (w Way) seal(body []byte, h http.Header) []byte {
	if w.token != nil {
		body = w.token.seal(body, h)
	}
	return auth.Deliver(w.scheme, w.secret, body, h)
}

// Prove writes the way into an endpoint's configuration. keySet is the file with
// the public keys of a vendor that signs tokens.
func (w Way) Prove(e *configv1.Endpoint, keySet string) {
	if w.token != nil {
		w.token.Prove(e, keySet)
	}
	secrets := []*configv1.Secret{{Id: devSecretID, Value: w.value}}
	switch s := w.scheme.(type) {
	case auth.Basic:
		e.Basic = secrets
	case auth.Bearer:
		e.Bearer = secrets
	case auth.Header:
		e.Headers = []*configv1.HeaderProof{{Name: s.Name, Secrets: secrets}}
	case auth.PathToken:
		e.PathTokens = secrets
	case auth.JWT:
		e.Jwt = &configv1.Jwt{JwksFile: keySet, Issuer: s.Issuer, Audience: s.Audience, Header: s.Header}
	default:
		e.Secrets = secrets
	}
}
