package providertest

import (
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

// every way that package auth knows, beside the toy's own signature.
var every = []auth.Scheme{
	auth.Basic{}, auth.Bearer{}, auth.Header{}, auth.Header{Name: "X-Own"}, auth.PathToken{},
	auth.JWT{}, auth.JWT{Claim: "data"}, auth.JWT{Header: "X-Own", Claim: "data"},
}

// TestEveryWay: a vendor may list any of them; the suite fills in what is a
// configuration's to say.
func TestEveryWay(t *testing.T) {
	p := toy()
	p.Proofs = every
	if got := complaints(t, p); got != "" {
		t.Errorf("the suite complains about a sound vendor:\n%s", got)
	}
	if n := len(newSuite(t, p).ways); n != len(every)+1 {
		t.Errorf("%d ways are tried, want %d", n, len(every)+1)
	}
}

// TestDeliveryOfToken: where the event is a token, deliveries are tokens, wherever
// they came.
func TestDeliveryOfToken(t *testing.T) {
	p := toy()
	p.Scheme, p.KeepHeaders = nil, []string{"x-own"}
	for _, scheme := range every[6:] {
		p.Proofs = []auth.Scheme{scheme}
		s := newSuite(t, p)
		f := s.fixtures[0]
		d := s.delivery(t, f, f.Body)
		media := "application/jwt"
		if scheme.(auth.JWT).Header != "" {
			media = "application/json"
		}
		claims, err := auth.Claims(d.Body)
		if err != nil || len(d.Headers) > 0 || !strings.Contains(string(claims), `"data":`+string(f.Body)) || d.ContentType != media {
			t.Errorf("%s: claims are %s, %v, as %s", scheme.(auth.JWT).Header, claims, err, d.ContentType)
		}
	}
}

// anyKey has one key under every id.
type anyKey struct{ auth.Keys }

func (k anyKey) Key(string) (auth.Key, error) { return k.Keys.Key("secret-0") }

// Ways that believe too much, and what the suite says about them.
func TestWaysCanFail(t *testing.T) {
	p := toy()
	p.Proofs = every
	s := newSuite(t, p)
	for _, tc := range []struct {
		name, want string
		check      func(r *recorder, w way)
		change     func(w *way)
		kind       string
	}{
		{"a key for every id", "a token with an unknown kid: Verify gives", func(r *recorder, w way) { s.trying(w).checkAuth(r) },
			func(w *way) { j := w.scheme.(auth.JWT); j.Keys = anyKey{j.Keys}; w.scheme = j }, auth.KindJWT},
		{"no claim is wanted", "", func(r *recorder, w way) { s.checkToken(r, w, []byte(`not JSON`)) }, func(*way) {}, auth.KindJWT},
		{"any path", "a longer token: Verify gives", func(r *recorder, w way) { w.checkParts(r, w.request(t, []byte("body"), s.now)) },
			func(w *way) { w.scheme = anyPath{} }, auth.KindPathToken},
		{"secrets for ever", "an expired secret: Verify gives", func(r *recorder, w way) { s.checkSecrets(r, w, w.request(t, nil, s.now)) },
			func(w *way) { w.scheme = anyPath{} }, auth.KindPathToken},
	} {
		for _, w := range s.ways {
			if w.traits.Kind != tc.kind {
				continue
			}
			tc.change(&w)
			r := &recorder{TB: t}
			tc.check(r, w)
			if got := strings.Join(r.complaints, "\n"); !strings.Contains(got, tc.want) || tc.want == "" && got != "" {
				t.Errorf("%s: the suite says %q, want %q", tc.name, got, tc.want)
			}
			break
		}
	}
}

// trying is the suite with one way.
func (s *suite) trying(w way) *suite {
	only := *s
	only.ways = []way{w}
	return &only
}

// anyPath believes every token in the address.
type anyPath struct{ auth.PathToken }

func (anyPath) Verify(secrets []auth.Secret, _ auth.Request) (string, error) {
	if len(secrets) == 0 {
		return "", auth.ErrMismatch
	}
	return secrets[0].ID, nil
}

// A vendor that lists no way at all is noticed.
func TestNoWay(t *testing.T) {
	p := toy()
	p.Scheme = nil
	r := &recorder{TB: t}
	s := &suite{Provider: p, fixtures: []providers.Fixture{{}}}
	s.checkValue(r)
	if got := strings.Join(r.complaints, "\n"); got != "Scheme or Proofs is not set" {
		t.Errorf("the suite says %q", got)
	}
}
