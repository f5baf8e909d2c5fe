package providertest

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// way is one way to prove a sender, filled in as a configuration would do it.
type way struct {
	scheme auth.Scheme
	traits auth.Traits
	values [2]string // of the endpoint's secret, and of another
}

const (
	suiteHeader   = "X-Suite-Token"
	suiteIssuer   = "https://issuer.invalid/oidc"
	suiteAudience = "https://hooks.invalid/suite"
	suiteLeeway   = 30 * time.Second
)

// configured makes every choice that the pattern leaves to a customer.
func configured(t testing.TB, pattern auth.Scheme) way {
	t.Helper()
	settings := auth.Settings{
		Header: suiteHeader, Issuer: suiteIssuer, Audience: suiteAudience, Leeway: suiteLeeway,
		Algorithms: []string{"ES256", "RS256", "PS256"}, // keys for the first are made at once
	}
	w := way{scheme: auth.Configured(pattern, settings)}
	w.traits = w.scheme.Traits()
	for n := range w.values {
		w.values[n] = value(t, w.traits, n)
	}
	if w.traits.MakeKey == nil {
		return w
	}
	public, err := auth.PublicKey(w.make(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	settings.Keys = auth.StaticKeys{public}
	w.scheme = auth.Configured(pattern, settings)
	return w
}

// value is the n-th secret of a scheme, as a configuration has it.
func value(t testing.TB, traits auth.Traits, n int) string {
	t.Helper()
	if traits.MakeKey == nil {
		return traits.Value(password(n))
	}
	key, err := traits.MakeKey()
	if err != nil {
		t.Fatal(err)
	}
	return string(key)
}

func password(n int) string { return fmt.Sprintf("a-synthetic-secret-value-%d", n) }

// make is the n-th secret.
func (w way) make(t testing.TB, n int) auth.Secret {
	t.Helper()
	return w.secret(t, fmt.Sprintf("secret-%d", n), n)
}

// secret is the n-th secret under another id, and within limits of time, if any.
func (w way) secret(t testing.TB, id string, n int, limits ...time.Time) auth.Secret {
	t.Helper()
	limits = append(limits, time.Time{}, time.Time{})
	secret, err := auth.NewSecret(id, []byte(w.values[n]), limits[0], limits[1])
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
	return signed(w.scheme, w.make(t, 0), body, now)
}

func signed(scheme auth.Scheme, s auth.Secret, body []byte, now time.Time) auth.Request {
	r := auth.Request{Header: http.Header{}, Body: body, Now: now}
	scheme.Sign(s, &r)
	return r
}

// event is what of a request ingest hands on as the delivery.
func (s *suite) event(r auth.Request) []byte {
	if name := s.EventHeader(); name != "" && r.Header.Get(name) != "" {
		return []byte(r.Header.Get(name))
	}
	return r.Body
}

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
