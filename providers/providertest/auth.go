package providertest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// checkAuth tries each way the vendor lists on one delivery, in every manner that
// must and must not be believed.
func (s *suite) checkAuth(t testing.TB) {
	body := []byte(`{"synthetic":"body of a delivery"}`)
	for _, f := range s.fixtures {
		if !f.Bad() {
			body = f.Body
			break
		}
	}
	for _, w := range s.ways(t) {
		r := w.request(t, body, s.now)
		s.checkSecrets(t, w, r)
		s.checkParts(t, w, r)
		if auth.Kind(w.scheme) == auth.KindJWT {
			s.checkToken(t, w, body)
		}
	}
}

// checkSecrets tries one request against secrets right and wrong, in and out of
// their time. What needs no secret has its own check.
func (s *suite) checkSecrets(t testing.TB, w way, r auth.Request) {
	first := w.make(t, 0)
	accepts := func(what string, want string, secrets ...auth.Secret) {
		if id, err := w.scheme.Verify(secrets, r); err != nil || id != want {
			t.Errorf("%s, %s: Verify gives %q, %v; want %q", auth.Kind(w.scheme), what, id, err, want)
		}
	}
	if auth.Keyless(w.scheme) {
		accepts("no secret", auth.JWTSecretID)
		return
	}
	refuses := func(what string, secrets ...auth.Secret) {
		id, err := w.scheme.Verify(secrets, r)
		checkRefusal(t, auth.Kind(w.scheme)+", "+what, r.Header, id, err)
	}
	second, hour := w.make(t, 1), time.Hour
	accepts("one secret", first.ID, first)
	accepts("rotation, first of two", first.ID, first, second)
	accepts("rotation, second of two", first.ID, second, first)
	accepts("inside its time", first.ID, w.timed(t, 0, s.now.Add(-hour), s.now.Add(hour)))
	refuses("another secret", second)
	refuses("no secret")
	refuses("a zero secret", auth.Secret{})
	refuses("an expired secret", w.timed(t, 0, time.Time{}, s.now))
	refuses("a secret of the future", w.timed(t, 0, s.now.Add(hour), time.Time{}))
}

// checkParts alters each part of a request that is proved.
func (s *suite) checkParts(t testing.TB, w way, r auth.Request) {
	secrets := []auth.Secret{w.make(t, 0)}
	refuses := func(what string, r auth.Request) {
		id, err := w.scheme.Verify(secrets, r)
		checkRefusal(t, auth.Kind(w.scheme)+", "+what, r.Header, id, err)
	}
	if auth.BindsBody(w.scheme) {
		altered := map[string][]byte{"a body with one byte more": append(bytes.Clone(r.Body), 'x')}
		for _, at := range []int{0, len(r.Body) / 2, len(r.Body) - 1} {
			altered[fmt.Sprintf("byte %d of the body flipped", at)] = flipped(r.Body, at)
		}
		for what, body := range altered {
			r := r
			r.Body = body
			refuses(what, r)
		}
	}
	if r.PathToken != "" {
		for what, token := range map[string]string{
			"no token": "", "a token cut short": r.PathToken[1:], "a longer token": r.PathToken + "/", "another token": otherCharacter(r.PathToken),
		} {
			r := r
			r.PathToken = token
			refuses(what, r)
		}
	}
	for name, values := range r.Header {
		if name == "Content-Type" {
			continue // says what the body is, and proves nothing
		}
		for what, altered := range map[string][]string{
			"missing": nil, "empty": {""}, "doubled": {values[0], values[0]},
			"doubled with a forged one":   {values[0], "forged"},
			"doubled with a forged first": {"forged", values[0]},
			"with one character changed":  {otherCharacter(values[0])},
			"cut short":                   {values[0][:len(values[0])/2]},
		} {
			r := r
			r.Header = r.Header.Clone()
			r.Header[name] = altered
			refuses("header "+name+" "+what, r)
		}
	}
}

func checkRefusal(t testing.TB, what string, h http.Header, id string, err error) {
	t.Helper()
	known := errors.Is(err, auth.ErrUnsigned) || errors.Is(err, auth.ErrMismatch) || errors.Is(err, auth.ErrStale)
	if id != "" || !known {
		t.Errorf("%s: Verify gives %q, %v; want a refusal", what, id, err)
		return
	}
	for _, values := range h {
		for _, v := range values {
			if len(v) >= auth.MinSecret && strings.Contains(err.Error(), v) {
				t.Errorf("%s: the error quotes the header: %v", what, err)
			}
		}
	}
	for n := range 2 {
		if strings.Contains(err.Error(), string(plainValue(n))) {
			t.Errorf("%s: the error quotes a secret", what)
		}
	}
}

func flipped(body []byte, at int) []byte {
	out := bytes.Clone(body)
	out[at] ^= 1
	return out
}

// otherCharacter changes the middle of a header value within its alphabet.
func otherCharacter(s string) string {
	b := []byte(s)
	at := len(b) / 2
	if b[at] == '0' {
		b[at] = '1'
	} else {
		b[at] = '0'
	}
	return string(b)
}
