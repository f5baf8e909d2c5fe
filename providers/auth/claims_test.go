package auth

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestClaimsAreReadByExactName: a signed token says one thing. Where encoding/json would take a name in any case,
// the last of two members or any number for a time, the token is judged by its exact names or refused.
func TestClaimsAreReadByExactName(t *testing.T) {
	const (
		iss  = `"iss":"https://issuer.invalid/oidc"`
		aud  = `"aud":"https://hooks.invalid/idnow"`
		exp  = `"exp":1767229200`
		past = `"exp":1700000000`
		data = `"data":{"eventId":"e"}`
	)
	for name, c := range map[string]struct {
		claims string // members of the token
		want   error  // nil: proved
	}{
		"as it should be":            {join(iss, aud, exp, data), nil},
		"unknown claims":             {join(iss, aud, exp, data, `"Issuer":1`, `"AUD":["x"]`), nil},
		"another aud beside Aud":     {join(iss, `"aud":"other"`, `"Aud":"https://hooks.invalid/idnow"`, exp, data), ErrMismatch},
		"Aud alone":                  {join(iss, `"Aud":"https://hooks.invalid/idnow"`, exp, data), ErrMismatch},
		"IsS alone":                  {join(`"IsS":"https://issuer.invalid/oidc"`, aud, exp, data), ErrMismatch},
		"a long s in iss":            {join(`"iſs":"https://issuer.invalid/oidc"`, aud, exp, data), ErrMismatch},
		"expired beside a live eXp":  {join(iss, aud, past, `"eXp":1767229200`, data), ErrStale},
		"aud twice":                  {join(iss, `"aud":"other"`, aud, exp, data), ErrMismatch},
		"exp twice":                  {join(iss, aud, past, exp, data), ErrMismatch},
		"event twice":                {join(iss, aud, exp, data, data), ErrMismatch},
		"an escaped name twice":      {join(iss, aud, past, `"\u0065xp":1767229200`, data), ErrMismatch},
		"nbf out of range":           {join(iss, aud, exp, `"nbf":1e300`, data), ErrMismatch},
		"nbf below zero":             {join(iss, aud, exp, `"nbf":-1`, data), ErrMismatch},
		"nbf is minus zero":          {join(iss, aud, exp, `"nbf":-0`, data), ErrMismatch},
		"exp with an exponent":       {join(iss, aud, `"exp":2e9`, data), ErrMismatch},
		"exp with a fraction":        {join(iss, aud, `"exp":1767229200.5`, data), ErrMismatch},
		"exp after the year 9999":    {join(iss, aud, `"exp":253402300800`, data), ErrMismatch},
		"exp is null":                {join(iss, aud, `"exp":null`, data), ErrMismatch},
		"exp is text":                {join(iss, aud, `"exp":"1767229200"`, data), ErrMismatch},
		"iat is true":                {join(iss, aud, exp, `"iat":true`, data), ErrMismatch},
		"aud is null":                {join(iss, `"aud":null`, exp, data), ErrMismatch},
		"aud has an item of no text": {join(iss, `"aud":["https://hooks.invalid/idnow",1]`, exp, data), ErrMismatch},
		"iss is a list":              {join(`"iss":["https://issuer.invalid/oidc"]`, aud, exp, data), ErrMismatch},
		"more than an object":        {join(iss, aud, exp, data) + "{}", ErrMismatch},
		"a list":                     {"[" + join(iss, aud, exp, data) + "]", ErrMismatch},
		"nothing":                    {"", ErrMismatch},
		"an object that never ends":  {strings.TrimSuffix(join(iss, aud, exp, data), "}"), ErrMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			j := testJWT(t)
			token, err := j.TokenOf(keySecret(t, "rsa"), []byte(c.claims))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := j.Verify(nil, Request{Body: []byte(token), Now: time.Unix(1767229100, 0)}); !errors.Is(err, c.want) {
				t.Errorf("Verify of the claims %s: %v, expected %v", c.claims, err, c.want)
			}
		})
	}
}

func join(members ...string) string { return "{" + strings.Join(members, ",") + "}" }

// FuzzClaims: whatever is signed, a reader does not panic, and what it accepts is one object that says so once.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{`{}`, `{"exp":1}`, `{"aud":["a"],"iss":"b"}`, `{"exp":1,"exp":2}`, `[`, `{"a":`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		claims, err := readClaims(p)
		if err != nil {
			return
		}
		members, err := membersOnce(p)
		if err != nil {
			t.Errorf("%q is read as claims: %v", p, err)
		}
		for name, set := range map[string]bool{"iss": claims.Issuer != "", "exp": claims.ExpiresAt != nil, "nbf": claims.NotBefore != nil} {
			if _, there := members[name]; set && !there {
				t.Errorf("%q: the claim %s was read, and is no member", p, name)
			}
		}
	})
}
