package providertest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

// checkToken tries tokens that must not be believed, each wrong in one thing.
func (s *suite) checkToken(t testing.TB, w way, body []byte) {
	own := w.make(t, 0)
	stranger, unknown := w.secret(t, own.ID, 1), w.secret(t, "nobody", 0)
	claims := func(change map[string]any) []byte {
		all := map[string]any{"iss": suiteIssuer, "aud": suiteAudience, "iat": s.now.Unix(), "exp": s.now.Add(time.Hour).Unix()}
		if w.traits.Claim != "" {
			all[w.traits.Claim] = json.RawMessage(body)
		}
		maps.Copy(all, change)
		maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
		return encode(t, all)
	}
	sign := func(secret auth.Secret, change map[string]any) string {
		token, err := w.traits.Token(secret, claims(change))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	if !json.Valid(body) {
		return // there is a fixture that is
	}
	if _, err := w.scheme.Verify(nil, w.carry(sign(own, nil), body, s.now)); err != nil {
		t.Fatalf("a right token is refused: %v", err)
	}
	forged := map[string]string{
		"signed by another key":                  sign(stranger, nil),
		"with an unknown kid":                    sign(unknown, nil),
		"with alg none":                          byHand("none", own.ID, claims(nil), nil),
		"with alg HS256 over the public key":     byHand("HS256", own.ID, claims(nil), publicPEM(t, own)),
		"expired":                                sign(own, map[string]any{"exp": s.now.Add(-2 * suiteLeeway).Unix()}),
		"issued in the future":                   sign(own, map[string]any{"iat": s.now.Add(2 * suiteLeeway).Unix()}),
		"without exp":                            sign(own, map[string]any{"exp": nil}),
		"for another audience":                   sign(own, map[string]any{"aud": suiteAudience + "/other"}),
		"without aud":                            sign(own, map[string]any{"aud": nil}),
		"of another issuer":                      sign(own, map[string]any{"iss": suiteIssuer + "/other"}),
		"without iss":                            sign(own, map[string]any{"iss": nil}),
		"that is JSON":                           string(body),
		"with the signature of another's claims": crossed(sign(own, nil), sign(own, map[string]any{"jti": "another"})),
	}
	if w.traits.Claim != "" {
		s.checkUnusable(t, w, body, func(event any) string { return sign(own, map[string]any{w.traits.Claim: event}) })
	}
	for what, token := range forged {
		w.refuses(t, "a token "+what, w.carry(token, body, s.now))
	}
}

// checkUnusable signs rightly what holds no event. Its sender is proved all the same: who is refused may never come
// again, and a dead letter shows what came.
func (s *suite) checkUnusable(t testing.TB, w way, body []byte, sign func(event any) string) {
	for what, event := range map[string]any{
		"no event": nil, "null": json.RawMessage("null"), "a list": []any{}, "a text": "x", "a number": 7, "an object without members": struct{}{},
	} {
		r := w.carry(sign(event), body, s.now)
		w.accepts(t, "a right token with "+what+" under "+w.traits.Claim, r)
		d := s.arrived(providers.Fixture{}, auth.Request{Body: s.event(r)})
		got := s.read(d)
		var problem *providers.Problem
		if !errors.As(got.err, &problem) {
			t.Errorf("%s: a right token with %s gives %v, want a dead letter", w.traits.Kind, what, got.err)
		}
	}
}

// carry is a request with this token, in the place where the way has it.
func (w way) carry(token string, body []byte, now time.Time) auth.Request {
	if name := w.traits.Header; name != "" {
		return auth.Request{Header: map[string][]string{name: {token}}, Body: body, Now: now}
	}
	return auth.Request{Body: []byte(token), Now: now}
}

// byHand makes a token with an algorithm that no signer here offers.
func byHand(algorithm, kid string, claims, secret []byte) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode(fmt.Appendf(nil, `{"alg":%q,"kid":%q}`, algorithm, kid)) + "." + encode(claims)
	if secret == nil {
		return text + "."
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

// crossed has the claims of one token and the signature of the other.
func crossed(claims, signature string) string {
	return claims[:strings.LastIndexByte(claims, '.')] + signature[strings.LastIndexByte(signature, '.'):]
}

// publicPEM is what everybody can know of a key.
func publicPEM(t testing.TB, s auth.Secret) []byte {
	t.Helper()
	k, err := auth.PublicKey(s)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(k.Public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
