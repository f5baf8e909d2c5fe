package providertest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// mediaType is a header that a scheme may set and that proves nothing.
const mediaType = "Content-Type"

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
	for _, w := range s.ways {
		r := w.request(t, body, s.now)
		w.checkTraits(t, r)
		s.checkSecrets(t, w, r)
		w.checkParts(t, r)
		w.refuses(t, "signed with no secret", signed(w.scheme, auth.Secret{}, body, s.now), w.make(t, 0))
		if w.traits.Token != nil {
			s.checkToken(t, w, body)
		}
	}
}

// checkUnsigned reads deliveries that nobody signed, as `dev` and `send` do to choose
// among the fixtures: a scheme without a secret still gives them their form.
func (s *suite) checkUnsigned(t testing.TB) {
	for _, f := range s.fixtures {
		if f.Bad() {
			continue
		}
		if _, err := s.Parse(s.arrived(f, signed(s.ways[0].scheme, auth.Secret{}, f.Body, s.now))); err != nil {
			t.Errorf("%s cannot be read where nobody has signed it: %v", f.Name, err)
		}
	}
}

// checkTraits compares what the scheme says of itself with a request it has signed.
func (w way) checkTraits(t testing.TB, r auth.Request) {
	for what, text := range map[string]string{"Kind": w.traits.Kind, "Setting": w.traits.Setting, "Description": w.traits.Description, "Prompt": w.traits.Prompt} {
		if text == "" {
			t.Errorf("%s: the trait %s is not set", w.traits.Kind, what)
		}
	}
	if want := "`" + w.traits.Setting + "`"; !strings.HasPrefix(w.traits.Description, want) {
		t.Errorf("%s: the trait Description does not begin with the setting, %s", w.traits.Kind, want)
	}
	var headers []string
	for name := range r.Header {
		if name != mediaType {
			headers = append(headers, name)
		}
	}
	switch name := http.CanonicalHeaderKey(w.traits.Header); {
	case name == "" && len(headers) > 0:
		t.Errorf("%s: the trait Header is empty, and the proof is in %q", w.traits.Kind, headers)
	case name != "" && !slices.Contains(headers, name):
		t.Errorf("%s: the trait Header is %s, and the proof is in %q", w.traits.Kind, name, headers)
	}
	if w.traits.Keyless && !w.traits.SecondFactor && w.traits.SecretID == "" {
		t.Errorf("%s: it has no secret, and the trait SecretID does not say what proves the sender instead", w.traits.Kind)
	}
	if w.traits.Path != (r.PathToken != "") {
		t.Errorf("%s: the trait Path is %v, and the token in the path is %q", w.traits.Kind, w.traits.Path, r.PathToken)
	}
}

// checkSecrets tries one request against secrets right and wrong, in and out of
// their time. Where none is needed, none may count.
func (s *suite) checkSecrets(t testing.TB, w way, r auth.Request) {
	first, second, hour := w.make(t, 0), w.make(t, 1), time.Hour
	if w.traits.Keyless {
		w.accepts(t, "no secret", r)
		w.accepts(t, "a secret all the same", r, second)
		return
	}
	w.accepts(t, "one secret", r, first)
	w.accepts(t, "rotation, first of two", r, first, second)
	w.accepts(t, "rotation, second of two", r, second, first)
	w.accepts(t, "inside its time", r, w.secret(t, first.ID, 0, s.now.Add(-hour), s.now.Add(hour)))
	w.refuses(t, "another secret", r, second)
	w.refuses(t, "no secret", r)
	w.refuses(t, "a zero secret", r, auth.Secret{})
	w.refuses(t, "an expired secret", r, w.secret(t, first.ID, 0, time.Time{}, s.now))
	w.refuses(t, "a secret of the future", r, w.secret(t, first.ID, 0, s.now.Add(hour), time.Time{}))
}

// checkParts alters each part of a request that is proved.
func (w way) checkParts(t testing.TB, r auth.Request) {
	first := w.make(t, 0)
	w.checkBody(t, r, first)
	if r.PathToken != "" {
		for what, token := range map[string]string{
			"no token": "", "a token cut short": r.PathToken[1:], "a longer token": r.PathToken + "/", "another token": otherCharacter(r.PathToken),
		} {
			r := r
			r.PathToken = token
			w.refuses(t, what, r, first)
		}
	}
	for name, values := range r.Header {
		if name == mediaType {
			continue
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
			w.refuses(t, "header "+name+" "+what, r, first)
		}
	}
}

// checkBody alters the body, which is refused where the proof covers it, and there
// alone: `send --corrupt` relies on the one as on the other.
func (w way) checkBody(t testing.TB, r auth.Request, first auth.Secret) {
	altered := map[string][]byte{"a body with one byte more": append(bytes.Clone(r.Body), 'x')}
	for _, at := range []int{0, len(r.Body) / 2, len(r.Body) - 1} {
		altered[fmt.Sprintf("byte %d of the body flipped", at)] = flipped(r.Body, at)
	}
	for what, body := range altered {
		r := r
		r.Body = body
		if w.traits.BindsBody {
			w.refuses(t, what, r, first)
		} else {
			w.accepts(t, what, r, first)
		}
	}
}

// accepts wants the sender of a request signed with the first secret to be proved,
// under the id that the traits promise.
func (w way) accepts(t testing.TB, what string, r auth.Request, secrets ...auth.Secret) {
	t.Helper()
	want := w.make(t, 0).ID
	switch {
	case w.traits.SecondFactor:
		want = ""
	case w.traits.Keyless:
		want = w.traits.SecretID
	}
	if id, err := w.scheme.Verify(secrets, r); err != nil || id != want {
		t.Errorf("%s, %s: Verify gives %q, %v; want %q", w.traits.Kind, what, id, err, want)
	}
}

// refuses wants no secret to prove the sender, and an error that quotes nothing.
func (w way) refuses(t testing.TB, what string, r auth.Request, secrets ...auth.Secret) {
	t.Helper()
	id, err := w.scheme.Verify(secrets, r)
	known := errors.Is(err, auth.ErrUnsigned) || errors.Is(err, auth.ErrMismatch) || errors.Is(err, auth.ErrStale)
	if id != "" || !known {
		t.Errorf("%s, %s: Verify gives %q, %v; want a refusal", w.traits.Kind, what, id, err)
		return
	}
	for _, values := range r.Header {
		for _, v := range values {
			if len(v) >= auth.MinSecret && strings.Contains(err.Error(), v) {
				t.Errorf("%s, %s: the error quotes the header: %v", w.traits.Kind, what, err)
			}
		}
	}
	for n, value := range w.values {
		if strings.Contains(err.Error(), value) || strings.Contains(err.Error(), password(n)) {
			t.Errorf("%s, %s: the error quotes a secret", w.traits.Kind, what)
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
