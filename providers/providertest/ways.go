package providertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// way is one way to prove a sender, filled in as a configuration would do it.
type way struct {
	scheme auth.Scheme
	secret SecretMaker
}

const (
	suiteHeader   = "X-Suite-Token"
	suiteIssuer   = "https://issuer.invalid/oidc"
	suiteAudience = "https://hooks.invalid/suite"
	suiteLeeway   = 30 * time.Second
)

// ways are those that the vendor lists, its own first.
func (s *suite) ways(t testing.TB) []way {
	t.Helper()
	var all []way
	for _, scheme := range s.Ways() {
		w := way{scheme, s.secret}
		switch pattern := scheme.(type) {
		case auth.Header:
			if pattern.Name == "" {
				pattern.Name = suiteHeader
			}
			w.scheme = pattern
		case auth.Basic:
			w.secret = secretsOf(func(n int) []byte { return fmt.Appendf(nil, "user:%s", plainValue(n)) })
		case auth.PathToken:
			w.secret = secretsOf(func(n int) []byte { return []byte(strings.ReplaceAll(string(plainValue(n)), " ", "-")) })
		case auth.JWT:
			w.secret = secretsOf(keyPEM)
			pattern.Issuer, pattern.Audience, pattern.Leeway = suiteIssuer, suiteAudience, suiteLeeway
			pattern.Algorithms, pattern.IssuedAt = auth.Algorithms(), s.now
			w.scheme = pattern // decides which keys make takes
			public, err := auth.PublicKey(w.make(t, 0))
			if err != nil {
				t.Fatal(err)
			}
			pattern.Keys = auth.StaticKeys{public}
			w.scheme = pattern
		}
		all = append(all, w)
	}
	return all
}

func (w way) make(t testing.TB, n int) auth.Secret {
	t.Helper()
	return w.timed(t, n, time.Time{}, time.Time{})
}

func (w way) timed(t testing.TB, n int, notBefore, notAfter time.Time) auth.Secret {
	t.Helper()
	secret, err := w.secret(n, notBefore, notAfter)
	if err == nil {
		err = auth.Check(w.scheme, secret)
	}
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// request is body as the vendor would send it in this way.
func (w way) request(t testing.TB, body []byte, now time.Time) auth.Request {
	t.Helper()
	secret, h := w.make(t, 0), http.Header{}
	body = auth.Deliver(w.scheme, secret, body, h)
	return auth.Request{Header: h, Body: body, Now: now, PathToken: strings.TrimPrefix(auth.Path(w.scheme, secret), "/")}
}

func plainValue(n int) []byte { return fmt.Appendf(nil, "a synthetic secret value %d", n) }

func secretsOf(value func(n int) []byte) SecretMaker {
	return func(n int, notBefore, notAfter time.Time) (auth.Secret, error) {
		return auth.NewSecret(fmt.Sprintf("secret-%d", n), value(n), notBefore, notAfter)
	}
}

var suiteKeys = sync.OnceValue(func() [][]byte {
	var keys [][]byte
	for range 2 {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			panic(err)
		}
		keys = append(keys, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	return keys
})

// keyPEM is the n-th private key of the run.
func keyPEM(n int) []byte { return suiteKeys()[n] }

// kept are the headers that go into the envelope.
func (s *suite) kept(h http.Header) http.Header {
	kept := http.Header{}
	for name, values := range h {
		if slices.ContainsFunc(s.KeepHeaders, func(k string) bool { return http.CanonicalHeaderKey(k) == name }) {
			kept[name] = values
		}
	}
	return kept
}
