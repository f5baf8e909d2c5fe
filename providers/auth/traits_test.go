package auth

import (
	"crypto"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// What every scheme says of itself. The suite of the vendors tries whether it is true.
func TestTraits(t *testing.T) {
	for _, tc := range []struct {
		scheme          Scheme
		setting, header string
		facts           string
		description     string
		prompt          string
	}{
		{HMAC{Header: "X", Hash: crypto.SHA256}, "secrets", "X", "binds",
			"`secrets`: HMAC-SHA256 of the raw body, hex, in the header `X`", "secret "},
		{HMAC{Header: "X", Hash: crypto.SHA512, Encoding: Base64, Prefix: "v1="}, "secrets", "X", "binds",
			"`secrets`: HMAC-SHA512 of the raw body, base64, in the header `X`, after `v1=`", "secret "},
		{Basic{}, "basic", "Authorization", "", "`basic`: user and password, HTTP Basic", "basic "},
		{Bearer{}, "bearer", "Authorization", "", "`bearer`: a token in the header `Authorization`", "bearer "},
		{Header{}, "headers", "", "", "`headers`: secrets in headers of your choice", ": "},
		{Header{"X"}, "headers", "X", "", "`headers`: a secret in the header `X`", "X: "},
		{PathToken{}, "path_tokens", "", "path", "`path_tokens`: a secret as the last part of the address, `/hooks/NAME/TOKEN`", "followed by /"},
		{JWT{Claim: "data"}, "jwt", "", "binds key keyless:_jwt token:data",
			"`jwt`: a token that the vendor signs with a key of its own, as the body; the claim `data` holds the event", "token as body, key "},
		{JWT{Header: "X"}, "jwt", "X", "key keyless:_jwt token:", "`jwt` with `header`: the same kind of token in the header `X`", "token in X, key "},
		{JWT{Header: "X", Claim: "data"}, "jwt", "X", "event key keyless:_jwt token:data",
			"`jwt` with `header`: the same kind of token in the header `X`; the claim `data` holds the event", "token in X, key "},
		{Networks{}, "allow_from", "", "keyless: second", "", ""},
	} {
		traits := tc.scheme.Traits()
		got := []string{traits.Setting, traits.Header, facts(traits), traits.Description, traits.Prompt}
		if want := []string{tc.setting, tc.header, tc.facts, tc.description, tc.prompt}; !slices.Equal(got, want) {
			t.Errorf("%#v\nis   %q,\nwant %q", tc.scheme, got, want)
		}
	}
}

func facts(t Traits) string {
	var all []string
	for name, is := range map[string]bool{
		"path": t.Path, "binds": t.BindsBody, "keyless:" + t.SecretID: t.Keyless, "second": t.SecondFactor, "event": t.IsEvent, "key": t.MakeKey != nil,
		"token:" + t.Claim: t.Token != nil,
	} {
		if is {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// A password is the secret, but for Basic, which has a user in front of it.
func TestValue(t *testing.T) {
	for _, tc := range []struct {
		scheme         Scheme
		password, want string
	}{
		{HMAC{}, "a", "a"}, {Bearer{}, "a", "a"}, {Basic{}, "a", "dev:a"}, {Basic{}, "me:a", "me:a"},
	} {
		if got := tc.scheme.Traits().Value(tc.password); got != tc.want {
			t.Errorf("%s: %q becomes %q, want %q", tc.scheme.Traits().Kind, tc.password, got, tc.want)
		}
	}
}

// What the customer chooses is filled in, and nothing that the vendor has fixed.
func TestConfigured(t *testing.T) {
	keys := StaticKeys{{ID: "k"}}
	s := Settings{Header: "X-Mine", Issuer: "i", Audience: "a", Algorithms: []string{"ES256"}, Leeway: time.Second, Keys: keys}
	for _, tc := range []struct{ pattern, want Scheme }{
		{Header{}, Header{"X-Mine"}},
		{Header{"X-Own"}, Header{"X-Own"}},
		{Bearer{}, Bearer{}},
		{JWT{Claim: "data"}, JWT{Claim: "data", Issuer: "i", Audience: "a", Algorithms: s.Algorithms, Leeway: time.Second, Keys: keys}},
		{JWT{Header: "X-Own"}, JWT{Header: "X-Own", Issuer: "i", Audience: "a", Algorithms: s.Algorithms, Leeway: time.Second, Keys: keys}},
	} {
		if got := Configured(tc.pattern, s); fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", tc.want) {
			t.Errorf("%#v becomes %#v, want %#v", tc.pattern, got, tc.want)
		}
	}
}

// A key is made for the first algorithm, and signs.
func TestMakeKey(t *testing.T) {
	for _, algorithm := range append(Algorithms(), "") {
		j := testJWT(t)
		if j.Algorithms = []string{algorithm}; algorithm == "" {
			j.Algorithms = nil
		}
		pem, err := j.Traits().MakeKey()
		if err != nil {
			t.Fatal(err)
		}
		s := newSecret(t, "made", string(pem))
		if err := Check(j, s); err != nil {
			t.Errorf("a key made for %q: %v", algorithm, err)
		}
		public, err := PublicKey(s)
		if err != nil {
			t.Fatal(err)
		}
		j.Keys = StaticKeys{public}
		if id, err := j.Verify(nil, signed(j, s, []byte("{}"))); err != nil || id != JWTSecretID {
			t.Errorf("a token under a key made for %q: %q, %v", algorithm, id, err)
		}
	}
}
