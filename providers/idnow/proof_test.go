package idnow

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// TestForgedTokens: whatever is not exactly the vendor's token is refused, as a
// body and in the header.
func TestForgedTokens(t *testing.T) {
	v := newVendor(t, rsaKey()) // RS256, the default
	data := string(fixture(t, "session_completed"))
	iat, exp := strconv.FormatInt(now.Unix(), 10), strconv.FormatInt(now.Add(time.Hour).Unix(), 10)
	gone := strconv.FormatInt(now.Add(-2*time.Minute).Unix(), 10)
	claims := func(change ...string) string {
		return strings.NewReplacer(change...).Replace(`{"iss":"` + issuer + `","aud":"` + audience + `","iat":` + iat + `,"exp":` + exp + `,"data":` + data + `}`)
	}
	sound := v.token(t, claims())
	first, rest, _ := strings.Cut(sound, ".")
	middle, signature, _ := strings.Cut(rest, ".")
	with := func(header string) string { return text(header) + "." + middle }
	public, err := auth.PublicKey(v.key)
	if err != nil {
		t.Fatal(err)
	}
	other, unknown := v, v
	other.key, unknown.key = secretOf(t, "2026-01", pemOf(newRSA())), secretOf(t, "2027-01", rsaKey())
	for name, tc := range map[string]struct {
		token string
		err   error // nil: accepted
	}{
		"sound":                        {token: sound},
		"aud as a list":                {token: v.token(t, claims(`"aud":"`+audience+`"`, `"aud":["https://other.example.test","`+audience+`"]`))},
		"expired":                      {v.token(t, claims(`"exp":`+exp, `"exp":`+gone)), auth.ErrStale},
		"issued in the future":         {v.token(t, claims(`"iat":`+iat, `"iat":`+exp)), auth.ErrStale},
		"without exp":                  {v.token(t, claims(`"exp":`+exp+`,`, ``)), auth.ErrMismatch},
		"another aud":                  {v.token(t, claims(audience, audience+"/other")), auth.ErrMismatch},
		"without aud":                  {v.token(t, claims(`"aud":"`+audience+`",`, ``)), auth.ErrMismatch},
		"another iss":                  {v.token(t, claims(issuer, issuer+".attacker.test")), auth.ErrMismatch},
		"without iss":                  {v.token(t, claims(`"iss":"`+issuer+`",`, ``)), auth.ErrMismatch},
		"without data":                 {v.token(t, claims(`"data":`, `"event":`)), nil}, // the sender is right
		"another key under its id":     {other.token(t, claims()), auth.ErrMismatch},
		"an unknown kid":               {unknown.token(t, claims()), auth.ErrMismatch},
		"no kid":                       {with(`{"alg":"RS256"}`) + "." + signature, auth.ErrMismatch},
		"alg none":                     {with(`{"alg":"none","kid":"2026-01"}`) + ".", auth.ErrMismatch},
		"alg none with a signature":    {with(`{"alg":"none","kid":"2026-01"}`) + "." + signature, auth.ErrMismatch},
		"HS256 with the key in PEM":    {hs256(with(`{"alg":"HS256","kid":"2026-01"}`), publicPEM(t, public)), auth.ErrMismatch},
		"HS256 with the key in DER":    {hs256(with(`{"alg":"HS256","kid":"2026-01"}`), publicDER(t, public)), auth.ErrMismatch},
		"an algorithm not configured":  {with(`{"alg":"PS256","kid":"2026-01"}`) + "." + signature, auth.ErrMismatch},
		"a key of its own":             {with(`{"alg":"RS256","jku":"https://attacker.test/jwks.json"}`) + "." + signature, auth.ErrMismatch},
		"without its signature":        {first + "." + middle + ".", auth.ErrMismatch},
		"the claims of another token":  {first + "." + text(claims("COMPLETED", "ABORTED")) + "." + signature, auth.ErrMismatch},
		"nothing":                      {"", auth.ErrUnsigned},
		"JSON in its place":            {claims(), auth.ErrMismatch},
		"the token with a Bearer word": {"Bearer " + sound, auth.ErrMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.body.Verify(nil, auth.Request{Header: http.Header{}, Body: []byte(tc.token), Now: now})
			if !errors.Is(err, tc.err) {
				t.Errorf("as a body: %v, want %v", err, tc.err)
			}
			_, err = v.head.Verify(nil, auth.Request{Header: http.Header{signatureHeader: {tc.token}}, Body: []byte(data), Now: now})
			if !errors.Is(err, tc.err) {
				t.Errorf("in the header: %v, want %v", err, tc.err)
			}
		})
	}
	twice := http.Header{signatureHeader: {sound, sound}}
	if _, err := v.head.Verify(nil, auth.Request{Header: twice, Body: []byte(data), Now: now}); !errors.Is(err, auth.ErrMismatch) {
		t.Errorf("two headers: %v", err)
	}
	if _, err := v.head.Verify(nil, auth.Request{Header: http.Header{}, Body: []byte(sound), Now: now}); !errors.Is(err, auth.ErrUnsigned) {
		t.Errorf("the token in the body of an endpoint that wants the header: %v", err)
	}
}

// TestCustomHeader: a header that the customer typed into the dashboard, beside
// the token; each alone is not enough.
func TestCustomHeader(t *testing.T) {
	v := newVendor(t, rsaKey())
	custom := auth.Header{Name: "X-Auth-Token"}
	secret := secretOf(t, "typed", []byte("a synthetic custom header"))
	proof, err := auth.NewProof(custom, secret)
	if err != nil {
		t.Fatal(err)
	}
	proofs := auth.Proofs{{Scheme: v.body}, proof}
	token := v.send(v.body, fixture(t, "session_created")).Body
	for name, tc := range map[string]struct {
		body  string
		value []string
		want  error
	}{
		"both":                   {string(token), []string{"a synthetic custom header"}, nil},
		"no header":              {string(token), nil, auth.ErrUnsigned},
		"another value":          {string(token), []string{"a synthetic custom headeR"}, auth.ErrMismatch},
		"the header twice":       {string(token), []string{"a synthetic custom header", "a synthetic custom header"}, auth.ErrMismatch},
		"the header, no token":   {"{}", []string{"a synthetic custom header"}, auth.ErrMismatch},
		"the header, empty body": {"", []string{"a synthetic custom header"}, auth.ErrUnsigned},
	} {
		h := http.Header{"X-Auth-Token": tc.value}
		if _, err := proofs.Verify(auth.Request{Header: h, Body: []byte(tc.body), Now: now}); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func (v vendor) token(t testing.TB, claims string) string {
	t.Helper()
	token, err := v.body.TokenOf(v.key, []byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func text(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func hs256(signed string, key []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func publicDER(t testing.TB, k auth.Key) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.Public)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func publicPEM(t testing.TB, k auth.Key) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER(t, k)})
}
