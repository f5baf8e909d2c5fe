package auth

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func basicHeader(word, credentials string) http.Header {
	return header(authorization, word+base64.StdEncoding.EncodeToString([]byte(credentials)))
}

const (
	pair  = "user:the pass:word of the test"
	token = "the-token-of-the-test"
)

func TestPasswords(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, tc := range []struct {
		name   string
		scheme Scheme
		secret string
		r      Request
		want   error // nil: proved
	}{
		{"basic", Basic{}, pair, Request{Header: basicHeader("Basic ", pair)}, nil},
		{"basic, word in lower case", Basic{}, pair, Request{Header: basicHeader("basic ", pair)}, nil},
		{"basic, two spaces", Basic{}, pair, Request{Header: basicHeader("Basic  ", pair)}, nil},
		{"basic, another user", Basic{}, pair, Request{Header: basicHeader("Basic ", "usex"+pair[4:])}, ErrMismatch},
		{"basic, another password", Basic{}, pair, Request{Header: basicHeader("Basic ", pair+"x")}, ErrMismatch},
		{"basic, password cut at its colon", Basic{}, pair, Request{Header: basicHeader("Basic ", "user:the pass")}, ErrMismatch},
		{"basic, no colon", Basic{}, pair, Request{Header: basicHeader("Basic ", strings.ReplaceAll(pair, ":", ""))}, ErrMismatch},
		{"basic, empty user and password", Basic{}, pair, Request{Header: basicHeader("Basic ", ":")}, ErrMismatch},
		{"basic, not base64", Basic{}, pair, Request{Header: header(authorization, "Basic "+pair)}, ErrMismatch},
		{"basic, another word", Basic{}, pair, Request{Header: basicHeader("Bearer ", pair)}, ErrMismatch},
		{"basic, no word", Basic{}, pair, Request{Header: basicHeader("", pair)}, ErrMismatch},
		{"basic, only the word", Basic{}, pair, Request{Header: header(authorization, "Basic")}, ErrMismatch},
		{"basic, no header", Basic{}, pair, Request{Header: http.Header{}}, ErrUnsigned},
		{"basic, two headers", Basic{}, pair, Request{Header: header(authorization, basicHeader("Basic ", pair).Get(authorization), "Basic x")}, ErrMismatch},
		{"basic, huge", Basic{}, pair, Request{Header: basicHeader("Basic ", long)}, ErrMismatch},

		{"bearer", Bearer{}, token, Request{Header: header(authorization, "Bearer "+token)}, nil},
		{"bearer, word in upper case", Bearer{}, token, Request{Header: header(authorization, "BEARER "+token)}, nil},
		{"bearer, longer", Bearer{}, token, Request{Header: header(authorization, "Bearer "+token+"x")}, ErrMismatch},
		{"bearer, shorter", Bearer{}, token, Request{Header: header(authorization, "Bearer "+token[1:])}, ErrMismatch},
		{"bearer, empty", Bearer{}, token, Request{Header: header(authorization, "Bearer ")}, ErrMismatch},
		{"bearer, no word", Bearer{}, token, Request{Header: header(authorization, token)}, ErrMismatch},
		{"bearer, no header", Bearer{}, token, Request{Header: http.Header{}}, ErrUnsigned},
		{"bearer, a prefix of the word", Bearer{}, token, Request{Header: header(authorization, "Bear "+token)}, ErrMismatch},

		{"header", Header{"X-Token"}, token, Request{Header: header("x-token", token)}, nil},
		{"header, another", Header{"X-Token"}, token, Request{Header: header("X-Other", token)}, ErrUnsigned},
		{"header, with a word", Header{"X-Token"}, token, Request{Header: header("X-Token", "Bearer "+token)}, ErrMismatch},
		{"header, twice", Header{"X-Token"}, token, Request{Header: header("X-Token", token, token)}, ErrMismatch},
		{"header, listed", Header{"X-Token"}, token, Request{Header: header("X-Token", token+","+token)}, ErrMismatch},

		{"path token", PathToken{}, token, Request{PathToken: token}, nil},
		{"path token, more path", PathToken{}, token, Request{PathToken: token + "/"}, ErrMismatch},
		{"path token, wrong", PathToken{}, token, Request{PathToken: "x" + token}, ErrMismatch},
		{"path token, none", PathToken{}, token, Request{}, ErrUnsigned},
	} {
		t.Run(tc.name, func(t *testing.T) {
			secrets := []Secret{newSecret(t, "other", "quite another secret:x"), newSecret(t, "one", tc.secret)}
			tc.r.Now = noon
			id, err := tc.scheme.Verify(secrets, tc.r)
			if !errors.Is(err, tc.want) || (err == nil) != (id == "one") {
				t.Errorf("Verify gives %q, %v; want %v", id, err, tc.want)
			}
			if err != nil && (strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "word of the test")) {
				t.Errorf("the error quotes a secret: %v", err)
			}
			if id, err := tc.scheme.Verify([]Secret{{}}, tc.r); err == nil {
				t.Errorf("a zero secret proves it as %q", id)
			}
		})
	}
}

// What Sign writes, Verify believes, in its time only.
func TestPasswordsInTime(t *testing.T) {
	for _, scheme := range []Scheme{Basic{}, Bearer{}, Header{"X-Token"}, PathToken{}} {
		text := scheme.Traits().Value(token)
		for _, limits := range []struct {
			from, to time.Time
			want     error
		}{{noon, time.Time{}, nil}, {noon.Add(1), time.Time{}, ErrStale}, {time.Time{}, noon, ErrStale}, {time.Time{}, noon.Add(1), nil}} {
			s, err := NewSecret("one", []byte(text), limits.from, limits.to)
			if err != nil {
				t.Fatal(err)
			}
			if id, err := scheme.Verify([]Secret{s}, signed(scheme, s, []byte("body"))); !errors.Is(err, limits.want) || (err == nil) != (id == "one") {
				t.Errorf("%s from %s to %s: %q, %v; want %v", scheme.Traits().Kind, limits.from, limits.to, id, err, limits.want)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		scheme Scheme
		value  string
		want   string // in the error; "" for none
	}{
		{Basic{}, "dev:dev-secret-idwise", ""},
		{Basic{}, "no colon in this one", "no colon"},
		{Basic{}, "a long user name:short", "password of too few bytes"},
		{Bearer{}, "0123456789abcdef", ""},
		{Bearer{}, "0123456789abcdef\n", "printable ASCII"},
		{Header{"X"}, " 0123456789abcdef", "printable ASCII"},
		{Header{"X"}, "Basic 0123456789abcdef", ""},
		{PathToken{}, "AZaz09-._~AZaz09", ""},
		{PathToken{}, "0123456789abcde/", "goes into an address"},
		{PathToken{}, "0123456789abcde%2f", "goes into an address"},
		{HMAC{Header: "X"}, "\x00any bytes at all\xff", ""},
		{JWT{}, "not a key but long enough", "no private key in PEM"},
	} {
		s := newSecret(t, "one", tc.value)
		err := Check(tc.scheme, s)
		if (tc.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s with %q: %v, want %q", tc.scheme.Traits().Kind, tc.value, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), tc.value) {
			t.Errorf("the error quotes the secret: %v", err)
		}
		if Check(tc.scheme, Secret{}) == nil {
			t.Errorf("%s takes a zero secret", tc.scheme.Traits().Kind)
		}
	}
}

// Whatever stands in the header, only the one right value is believed.
func FuzzPasswords(f *testing.F) {
	f.Add("Basic dXNlcjp0aGUgcGFzczp3b3JkIG9mIHRoZSB0ZXN0", token)
	f.Add("Bearer "+token, "")
	f.Add(token, token+"/")
	secrets := []Secret{newSecret(f, "one", pair), newSecret(f, "two", token)}
	f.Fuzz(func(t *testing.T, value, path string) {
		r := Request{Header: http.Header{authorization: {value}}, PathToken: path, Now: noon}
		for _, tc := range []struct {
			scheme Scheme
			right  bool
		}{
			{Header{authorization}, value == pair || value == token},
			{PathToken{}, path == pair || path == token},
			{Bearer{}, rightAfter(value, "bearer", token) || rightAfter(value, "bearer", pair)},
			{Basic{}, rightAfter(value, "basic", base64.StdEncoding.EncodeToString([]byte(pair)))},
		} {
			if id, err := tc.scheme.Verify(secrets, r); (err == nil) != tc.right || (id != "") != tc.right {
				t.Errorf("%s believes %q, %q: %q, %v; want %v", tc.scheme.Traits().Kind, value, path, id, err, tc.right)
			}
		}
	})
}

func rightAfter(value, word, want string) bool {
	given, rest, _ := strings.Cut(value, " ")
	rest = strings.TrimLeft(rest, " ")
	if word == "basic" { // the decoder passes over line breaks, which no header can hold
		rest = strings.NewReplacer("\r", "", "\n", "").Replace(rest)
	}
	return strings.EqualFold(given, word) && rest == want
}
