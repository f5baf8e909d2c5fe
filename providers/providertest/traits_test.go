package providertest

import (
	"crypto"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// saying is a scheme with other traits than its own.
type saying struct {
	auth.Scheme
	change func(*auth.Traits)
}

func (s saying) Traits() auth.Traits {
	t := s.Scheme.Traits()
	if configure := t.Configure; configure != nil {
		t.Configure = func(c auth.Settings) auth.Scheme { return saying{configure(c), s.change} }
	}
	s.change(&t)
	return t
}

// nameless is a scheme that does not say which secret fits.
type nameless struct{ auth.Scheme }

func (n nameless) Verify(secrets []auth.Secret, r auth.Request) (string, error) {
	_, err := n.Scheme.Verify(secrets, r)
	return "", err
}

// TestTraitsAreTrue: what a scheme says of itself is tried.
func TestTraitsAreTrue(t *testing.T) {
	mac := auth.HMAC{Header: "X-Own", Hash: crypto.SHA256}
	for _, tc := range []struct {
		name, want string // "" for what is true
		scheme     auth.Scheme
		change     func(*auth.Traits)
	}{
		{"all as it is", "", mac, func(*auth.Traits) {}},
		{"a second factor", "", nameless{mac}, func(t *auth.Traits) { t.SecondFactor = true }},
		{"an uncovered body is covered", "of the body flipped: Verify gives", auth.Bearer{}, func(t *auth.Traits) { t.BindsBody = true }},
		{"a covered body is not", "of the body flipped: Verify gives", mac, func(t *auth.Traits) { t.BindsBody = false }},
		{"another header", `the trait Header is X-Other, and the proof is in ["X-Own"]`, mac, func(t *auth.Traits) { t.Header = "x-other" }},
		{"no header", `the trait Header is empty, and the proof is in ["Authorization"]`, auth.Bearer{}, func(t *auth.Traits) { t.Header = "" }},
		{"a header for the path", "the trait Header is Authorization, and the proof is in []", auth.PathToken{}, func(t *auth.Traits) { t.Header = "Authorization" }},
		{"nothing in the path", "the trait Path is false", auth.PathToken{}, func(t *auth.Traits) { t.Path = false }},
		{"something in the path", "the trait Path is true", mac, func(t *auth.Traits) { t.Path = true }},
		{"no secret is needed", "no secret: Verify gives", mac, func(t *auth.Traits) { t.Keyless, t.SecretID = true, "secret-0" }},
		{"a secret is needed", "another secret: Verify gives", auth.JWT{Header: "X-Own"}, func(t *auth.Traits) { t.Keyless = false }},
		{"no name without secrets", "the trait SecretID", auth.JWT{Header: "X-Own"}, func(t *auth.Traits) { t.SecretID = "" }},
		{"a proof is a second factor", `Verify gives "secret-0", <nil>; want ""`, mac, func(t *auth.Traits) { t.SecondFactor = true }},
		{"a second factor is a proof", `Verify gives "", <nil>; want "secret-0"`, nameless{mac}, func(*auth.Traits) {}},
		{"the document of another setting", "the trait Description does not begin with the setting, `basic`", mac, func(t *auth.Traits) { t.Setting = "basic" }},
		{"no texts", "the trait Prompt is not set", mac, func(t *auth.Traits) { t.Kind, t.Setting, t.Description, t.Prompt = "", "", "", "" }},
	} {
		p := toy()
		p.Scheme = saying{tc.scheme, tc.change}
		r := &recorder{TB: t}
		newSuite(t, p).checkAuth(r)
		got := strings.Join(r.complaints, "\n")
		if !strings.Contains(got, tc.want) || tc.want == "" && got != "" {
			t.Errorf("%s: the suite says %q, want %q", tc.name, got, tc.want)
		}
	}
}
