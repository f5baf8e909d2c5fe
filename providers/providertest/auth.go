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

func plainSecret(n int, notBefore, notAfter time.Time) (auth.Secret, error) {
	return auth.NewSecret(fmt.Sprintf("secret-%d", n), plainValue(n), notBefore, notAfter)
}

func plainValue(n int) []byte { return fmt.Appendf(nil, "a synthetic secret value %d", n) }

func (s *suite) newSecret(t testing.TB, n int) auth.Secret {
	t.Helper()
	return s.timedSecret(t, n, time.Time{}, time.Time{})
}

func (s *suite) timedSecret(t testing.TB, n int, notBefore, notAfter time.Time) auth.Secret {
	t.Helper()
	secret, err := s.secret(n, notBefore, notAfter)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// checkAuth tries the vendor's scheme on one delivery in every way that must and
// must not be believed.
func (s *suite) checkAuth(t testing.TB) {
	first, second := s.newSecret(t, 0), s.newSecret(t, 1)
	body := []byte(`{"synthetic":"body of a delivery"}`)
	for _, f := range s.fixtures {
		if !f.Bad() {
			body = f.Body
			break
		}
	}
	h := http.Header{}
	body = auth.Deliver(s.Scheme, first, body, h)
	accepts := func(what string, secrets []auth.Secret, want string) {
		id, err := s.Scheme.Verify(secrets, auth.Request{Header: h, Body: body, Now: s.now})
		if err != nil || id != want {
			t.Errorf("%s: Verify gives %q, %v; want %q", what, id, err, want)
		}
	}
	refuses := func(what string, secrets []auth.Secret, h http.Header, body []byte) {
		id, err := s.Scheme.Verify(secrets, auth.Request{Header: h, Body: body, Now: s.now})
		checkRefusal(t, what, h, id, err)
	}
	accepts("one secret", []auth.Secret{first}, first.ID)
	accepts("rotation, first of two", []auth.Secret{first, second}, first.ID)
	accepts("rotation, second of two", []auth.Secret{second, first}, first.ID)
	hour := time.Hour
	accepts("inside its time", []auth.Secret{s.timedSecret(t, 0, s.now.Add(-hour), s.now.Add(hour))}, first.ID)

	refuses("another secret", []auth.Secret{second}, h, body)
	refuses("no secret", nil, h, body)
	refuses("a zero secret", []auth.Secret{{}}, h, body)
	refuses("an expired secret", []auth.Secret{s.timedSecret(t, 0, time.Time{}, s.now)}, h, body)
	refuses("a secret of the future", []auth.Secret{s.timedSecret(t, 0, s.now.Add(hour), time.Time{})}, h, body)
	if auth.BindsBody(s.Scheme) {
		for _, at := range []int{0, len(body) / 2, len(body) - 1} {
			refuses(fmt.Sprintf("byte %d of the body flipped", at), []auth.Secret{first}, h, flipped(body, at))
		}
		refuses("a body with one byte more", []auth.Secret{first}, h, append(bytes.Clone(body), ' '))
	}
	for name, values := range h {
		for what, altered := range map[string][]string{
			"missing": nil, "empty": {""}, "doubled": {values[0], values[0]},
			"doubled with a forged one":   {values[0], "forged"},
			"doubled with a forged first": {"forged", values[0]},
			"with one character changed":  {otherCharacter(values[0])},
			"cut short":                   {values[0][:len(values[0])/2]},
		} {
			h := h.Clone()
			h[name] = altered
			refuses("header "+name+" "+what, []auth.Secret{first}, h, body)
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
