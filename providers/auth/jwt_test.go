package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Keys of the tests, by kid. They are made anew for each run.
var testKeys = sync.OnceValue(func() map[string]any {
	keys := map[string]any{}
	for _, id := range []string{"rsa", "rsa2"} {
		keys[id] = must(rsa.GenerateKey(rand.Reader, 2048))
	}
	keys["weak"] = must(rsa.GenerateKey(rand.Reader, 1024))
	keys["ec"] = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	keys["ec384"] = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	return keys
})

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func keySecret(t testing.TB, id string) Secret {
	t.Helper()
	der := must(x509.MarshalPKCS8PrivateKey(testKeys()[id]))
	return newSecret(t, id, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func publicKey(t testing.TB, id string) Key {
	t.Helper()
	k, err := PublicKey(keySecret(t, id))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func testJWT(t testing.TB) JWT {
	keys := StaticKeys{publicKey(t, "rsa"), publicKey(t, "ec"), publicKey(t, "weak"), publicKey(t, "ec384")}
	ps := publicKey(t, "rsa2")
	ps.Algorithm = "PS256"
	return JWT{
		Keys: append(keys, ps), Issuer: "https://issuer.invalid/oidc", Audience: "https://hooks.invalid/idnow",
		Algorithms: Algorithms(), Leeway: 30 * time.Second, Claim: "data",
	}
}

// change is one forgery: other claims (nil takes one out), another header.
type change struct {
	header, claims map[string]any
	key            string // who signs; "" for rsa
	method         string // with which algorithm; "" for RS256
}

func (c change) token(t testing.TB) string {
	t.Helper()
	claims := map[string]any{"iss": "https://issuer.invalid/oidc", "aud": "https://hooks.invalid/idnow", "iat": noon.Unix(), "exp": noon.Add(time.Hour).Unix(), "data": map[string]any{"eventId": "e"}}
	apply(claims, c.claims)
	method := jwt.GetSigningMethod(or(c.method, "RS256"))
	token := jwt.NewWithClaims(method, jwt.MapClaims(claims))
	token.Header["kid"] = or(c.key, "rsa")
	apply(token.Header, c.header)
	var key any = testKeys()[or(c.key, "rsa")]
	switch method.Alg() {
	case "none":
		key = jwt.UnsafeAllowNoneSignatureType
	case "HS256": // the confusion: the public key, which everybody has, as the secret
		key = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(publicKey(t, "rsa").Public))})
	}
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func apply(to, changes map[string]any) {
	maps.Copy(to, changes)
	maps.DeleteFunc(to, func(_ string, v any) bool { return v == nil })
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func claim(name string, value any) change { return change{claims: map[string]any{name: value}} }

func jose(name string, value any) change { return change{header: map[string]any{name: value}} }

func at(d time.Duration) int64 { return noon.Add(d).Unix() }

func TestJWT(t *testing.T) {
	for _, tc := range []struct {
		name string
		change
		want error // nil: proved
	}{
		{"as it should be", change{}, nil},
		{"ES256", change{key: "ec", method: "ES256"}, nil},
		{"PS256", change{key: "rsa2", method: "PS256"}, nil},
		{"several audiences", claim("aud", []string{"https://other.invalid", "https://hooks.invalid/idnow"}), nil},
		{"more claims", claim("sub", "e"), nil},
		{"expired within the leeway", claim("exp", at(-29*time.Second)), nil},
		{"issued within the leeway", claim("iat", at(29*time.Second)), nil},
		{"no iat", claim("iat", nil), nil},
		{"no event", claim("data", nil), nil}, // for the mapping to say
		{"the event is null", claim("data", json.RawMessage("null")), nil},
		{"the event is a list", claim("data", []string{}), nil},
		{"the event is text", claim("data", "{}"), nil},

		{"expired", claim("exp", at(-31*time.Second)), ErrStale},
		{"issued later", claim("iat", at(31*time.Second)), ErrStale},
		{"not yet", claim("nbf", at(31*time.Second)), ErrStale},
		{"no exp", claim("exp", nil), ErrMismatch},
		{"exp is text", claim("exp", "tomorrow"), ErrMismatch},
		{"exp is huge", claim("exp", json.RawMessage("1e400")), ErrMismatch},
		{"no aud", claim("aud", nil), ErrMismatch},
		{"another aud", claim("aud", "https://hooks.invalid/idnow2"), ErrMismatch},
		{"other auds", claim("aud", []string{"a", "b"}), ErrMismatch},
		{"empty aud", claim("aud", ""), ErrMismatch},
		{"aud is a number", claim("aud", 1), ErrMismatch},
		{"no iss", claim("iss", nil), ErrMismatch},
		{"another iss", claim("iss", "https://issuer.invalid/oidc/"), ErrMismatch},

		{"none", change{method: "none"}, ErrMismatch},
		{"None", change{method: "none", header: map[string]any{"alg": "None"}}, ErrMismatch},
		{"HS256 with the public key", change{method: "HS256"}, ErrMismatch},
		{"RS512", change{method: "RS512"}, ErrMismatch},
		{"alg is no text", jose("alg", 1), ErrMismatch},
		{"another key signs", change{key: "rsa2", header: map[string]any{"kid": "rsa"}}, ErrMismatch},
		{"RS256 with a PS256 key", change{key: "rsa2"}, ErrMismatch},
		{"an RSA token with an EC key id", jose("kid", "ec"), ErrMismatch},
		{"an EC token with an RSA key id", change{key: "ec", method: "ES256", header: map[string]any{"kid": "rsa"}}, ErrMismatch},
		{"ES384", change{key: "ec384", method: "ES384"}, ErrMismatch},
		{"a weak key", change{key: "weak"}, ErrMismatch},
		{"no kid", jose("kid", nil), ErrMismatch},
		{"an unknown kid", jose("kid", "nobody"), ErrMismatch},
		{"kid is a path", jose("kid", "../../../../dev/null"), ErrMismatch},
		{"kid is SQL", jose("kid", "x' UNION SELECT 'k"), ErrMismatch},
		{"kid is long", jose("kid", strings.Repeat("k", 129)), ErrMismatch},
		{"kid is a list", jose("kid", []string{"rsa"}), ErrMismatch},
		{"critical extension", jose("crit", []string{"b64"}), ErrMismatch},
		{"a key of its own", change{key: "rsa2", header: map[string]any{"kid": "mine", "jku": "https://evil.invalid/jwks", "x5u": "https://evil.invalid/x", "jwk": map[string]any{"kty": "RSA", "n": "AQAB", "e": "AQAB"}}}, ErrMismatch},
		{"names of keys are passed over", jose("jku", "https://evil.invalid/jwks"), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			j, token := testJWT(t), tc.token(t)
			for where, r := range map[string]Request{
				"body": {Body: []byte(token)}, "body with a line end": {Body: []byte(token + "\r\n")}, "header": {Header: header("X-Token", token)},
			} {
				j.Header, r.Now = "", noon
				if where == "header" {
					j.Header = "X-Token"
				}
				id, err := j.Verify(nil, r)
				if !errors.Is(err, tc.want) || (err == nil) != (id == JWTSecretID) {
					t.Errorf("in the %s: %q, %v; want %v", where, id, err, tc.want)
				}
			}
		})
	}
}

func TestJWTShape(t *testing.T) {
	j := testJWT(t)
	good := change{}.token(t)
	first, rest, _ := strings.Cut(good, ".")
	second, third, _ := strings.Cut(rest, ".")
	for name, tc := range map[string]struct {
		token string
		want  error
	}{
		"nothing":             {"", ErrUnsigned},
		"white space":         {" \n", ErrUnsigned},
		"a byte order mark":   {"\xef\xbb\xbf", ErrUnsigned},
		"one within":          {first + ".\xef\xbb\xbf" + second + "." + third, ErrMismatch},
		"one behind":          {good + "\xef\xbb\xbf", ErrMismatch},
		"JSON":                {`{"data":{}}`, ErrMismatch},
		"two parts":           {first + "." + second, ErrMismatch},
		"four parts":          {good + "." + third, ErrMismatch},
		"a million dots":      {strings.Repeat(".", 1_000_000), ErrMismatch},
		"no signature":        {first + "." + second + ".", ErrMismatch},
		"empty parts":         {"..", ErrMismatch},
		"a space inside":      {first + " ." + second + "." + third, ErrMismatch},
		"a line break inside": {good[:len(good)-4] + "\n" + good[len(good)-4:], ErrMismatch},
		"padding":             {good + "=", ErrMismatch},
		"a huge first part":   {strings.Repeat("A", 1<<20) + "." + second + "." + third, ErrMismatch},
		"a huge second part":  {first + "." + strings.Repeat("A", 1<<20) + "." + third, ErrMismatch},
		"the last bits moved": {good[:len(good)-1] + other(good[len(good)-1]), ErrMismatch},
	} {
		if id, err := j.Verify(nil, Request{Body: []byte(tc.token), Now: noon}); id != "" || !errors.Is(err, tc.want) {
			t.Errorf("%s: %q, %v; want %v", name, id, err, tc.want)
		}
	}
	for _, around := range []string{" \n%s\r\n", "\xef\xbb\xbf%s", "\xef\xbb\xbf\n%s\t"} {
		body := []byte(fmt.Sprintf(around, good))
		if _, err := j.Verify(nil, Request{Body: body, Now: noon}); err != nil {
			t.Errorf("a token in %q: %v", around, err)
		}
		if claims, err := Claims(body); err != nil || claims[0] != '{' {
			t.Errorf("the claims of a token in %q: %q, %v", around, claims, err)
		}
	}
	for i := range good { // not one character can be another
		flipped := good[:i] + other(good[i]) + good[i+1:]
		if _, err := j.Verify(nil, Request{Body: []byte(flipped), Now: noon}); err == nil {
			t.Errorf("character %d can be another", i)
		}
	}
	j.Header = "X-Token"
	for name, tc := range map[string]struct {
		values []string
		want   error
	}{
		"missing": {nil, ErrUnsigned}, "empty": {[]string{""}, ErrUnsigned}, "doubled": {[]string{good, good}, ErrMismatch},
		"huge": {[]string{strings.Repeat("A", 8<<10) + good}, ErrMismatch}, "with a word": {[]string{"Bearer " + good}, ErrMismatch},
	} {
		if _, err := j.Verify(nil, Request{Header: header("X-Token", tc.values...), Body: []byte(good), Now: noon}); !errors.Is(err, tc.want) {
			t.Errorf("header %s: %v, want %v", name, err, tc.want)
		}
	}
}

func other(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

// absent are keys that cannot be had.
type absent struct{}

func (absent) Key(string) (Key, error) { return Key{}, fmt.Errorf("away: %w", ErrUndecided) }

func TestJWTUndecided(t *testing.T) {
	good := change{}.token(t)
	for name, spoil := range map[string]func(*JWT){
		"keys are away": func(j *JWT) { j.Keys = absent{} }, "no keys": func(j *JWT) { j.Keys = nil },
		"no issuer": func(j *JWT) { j.Issuer = "" }, "no audience": func(j *JWT) { j.Audience = "" },
	} {
		j := testJWT(t)
		spoil(&j)
		if id, err := j.Verify(nil, Request{Body: []byte(good), Now: noon}); id != "" || !errors.Is(err, ErrUndecided) {
			t.Errorf("%s: %q, %v; want ErrUndecided", name, id, err)
		}
	}
	j := testJWT(t)
	j.Algorithms = []string{"none", "HS256"}
	if _, err := j.Verify(nil, Request{Body: []byte(change{method: "HS256"}.token(t)), Now: noon}); !errors.Is(err, ErrMismatch) {
		t.Errorf("an algorithm outside the list can be configured: %v", err)
	}
	j.Algorithms = nil
	if _, err := j.Verify(nil, Request{Body: []byte(change{key: "ec", method: "ES256"}.token(t)), Now: noon}); !errors.Is(err, ErrMismatch) {
		t.Errorf("without a list ES256 counts: %v", err)
	}
}

// What Sign makes is believed, and Claims reads it.
func TestJWTSign(t *testing.T) {
	for _, id := range []string{"rsa", "rsa2", "ec"} {
		for _, where := range []string{"", "X-Token"} {
			j, s := testJWT(t), keySecret(t, id)
			j.Header = where
			if id == "rsa2" {
				j.Algorithms = []string{"PS256"}
			}
			r := signed(j, s, []byte(`{"eventId":"e"}`))
			if got, err := j.Verify(nil, r); err != nil || got != JWTSecretID {
				t.Errorf("%s in %q: %q, %v", id, where, got, err)
			}
			token := []byte(r.Header.Get("X-Token"))
			if where == "" {
				token = r.Body
				if media := r.Header.Get("Content-Type"); media != "application/jwt" {
					t.Errorf("the media type is %q", media)
				}
			}
			var claims struct{ Data struct{ EventID string } }
			if b, err := Claims(token); err != nil || json.Unmarshal(b, &claims) != nil || claims.Data.EventID != "e" {
				t.Errorf("Claims gives %s, %v", b, err)
			}
		}
	}
	bare := signed(testJWT(t), Secret{}, []byte(`{"eventId":"e"}`))
	if claims, err := Claims(bare.Body); err != nil || !strings.Contains(string(claims), `"data":{"eventId":"e"}`) {
		t.Errorf("without a secret the claims are %s, %v", claims, err)
	}
	if _, err := testJWT(t).Verify(nil, bare); !errors.Is(err, ErrMismatch) {
		t.Errorf("a token without a signature: %v", err)
	}
	if r := signed(testJWT(t), newSecret(t, "x", "no key, but long enough"), []byte("{}")); string(r.Body) != "{}" || len(r.Header) > 0 {
		t.Errorf("a secret that is no key signs: %s, %v", r.Body, r.Header)
	}
}

// Nothing but the one token is believed, and nothing panics.
func FuzzJWT(f *testing.F) {
	issued := map[string]bool{} // what was signed, without the signatures, of which ECDSA has two
	for _, c := range []change{{}, {key: "ec", method: "ES256"}} {
		token := c.token(f)
		issued[token[:strings.LastIndexByte(token, '.')]] = true
		f.Add(token)
	}
	for _, c := range []change{{method: "none"}, {method: "HS256"}, claim("aud", []int{1})} {
		f.Add(c.token(f))
	}
	f.Add("e30.e30.e30")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"rsa"}`)) + ".e30.AA")
	j := testJWT(f)
	f.Fuzz(func(t *testing.T, token string) {
		id, err := j.Verify(nil, Request{Body: []byte(token), Now: noon})
		known := errors.Is(err, ErrUnsigned) || errors.Is(err, ErrMismatch) || errors.Is(err, ErrStale)
		if token := string(Bare([]byte(token))); err == nil && !issued[token[:strings.LastIndexByte(token, '.')]] || err != nil && (!known || id != "") {
			t.Errorf("%q: %q, %v", token, id, err)
		}
		if err != nil && len(token) > 8 && strings.Contains(err.Error(), token) {
			t.Errorf("the error quotes the token: %v", err)
		}
		_, _ = Claims([]byte(token))
	})
}
