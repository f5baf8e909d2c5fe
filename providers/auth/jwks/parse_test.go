package jwks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kycbridge/kycbridge/providers/auth"
)

var ecKey = sync.OnceValue(func() *ecdsa.PublicKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return &k.PublicKey
})

func rsaKey(bits int) *rsa.PublicKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return &k.PublicKey
}

func TestMarshalAndParse(t *testing.T) {
	want := []auth.Key{{ID: "rsa", Algorithm: "RS256", Public: rsaKey(2048)}, {ID: "ec", Public: ecKey()}}
	data, err := Marshal(want...)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	keys, _, err := ReadFile(path)
	if err != nil || len(keys) != 2 {
		t.Fatalf("%d keys, %v; want 2", len(keys), err)
	}
	for i, k := range keys {
		if k.ID != want[i].ID || k.Algorithm != want[i].Algorithm || !equal(k.Public, want[i].Public) {
			t.Errorf("key %d is %+v", i, k)
		}
	}
	if _, err := Marshal(auth.Key{ID: "x", Public: "no key"}); err == nil {
		t.Error("what is no key is written")
	}
}

func equal(a, b any) bool {
	switch a := a.(type) {
	case *rsa.PublicKey:
		b, ok := b.(*rsa.PublicKey)
		return ok && a.Equal(b)
	case *ecdsa.PublicKey:
		b, ok := b.(*ecdsa.PublicKey)
		return ok && a.Equal(b)
	}
	return false
}

func TestParse(t *testing.T) {
	good, err := Marshal(auth.Key{ID: "a", Public: ecKey()})
	if err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSuffix(strings.TrimPrefix(strings.Join(strings.Fields(string(good)), ""), `{"keys":[`), `]}`)
	with := func(old, new string) string { return strings.Replace(key, old, new, 1) }
	weak, err := Marshal(auth.Key{ID: "weak", Public: rsaKey(1024)})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		set  string
		keys int
		want string // in the error
	}{
		"one":               {`{"keys":[` + key + `]}`, 1, ""},
		"unknown members":   {`{"x":1,"keys":[` + with(`{`, `{"x5c":["AA"],`) + `]}`, 1, ""},
		"one among others":  {`{"keys":[{"kty":"oct","kid":"s","k":"AA"},7,null,` + key + `,{}]}`, 1, ""},
		"the same id again": {`{"keys":[` + key + `,` + key + `]}`, 1, ""},
		"not JSON":          {`<html>secret</html>`, 0, "not a JWK Set"},
		"a list":            {`[` + key + `]`, 0, "not a JWK Set"},
		"empty":             {`{}`, 0, "none of its 0 keys"},
		"no kid":            {`{"keys":[` + with(`"kid":"a"`, `"kid":""`) + `]}`, 0, "none of its 1 keys"},
		"for encryption":    {`{"keys":[` + with(`"sig"`, `"enc"`) + `]}`, 0, "none of its 1 keys"},
		"another algorithm": {`{"keys":[` + with(`"use"`, `"alg":"HS256","use"`) + `]}`, 0, "none of its 1 keys"},
		"another curve":     {`{"keys":[` + with(`P-256`, `P-384`) + `]}`, 0, "none of its 1 keys"},
		"not on the curve":  {`{"keys":[{"kty":"EC","kid":"a","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}]}`, 0, "none of its 1 keys"},
		"a weak RSA key":    {string(weak), 0, "none of its 1 keys"},
		"RSA exponent 1":    {`{"keys":[{"kty":"RSA","kid":"a","n":"` + strings.Repeat("_", 342) + `","e":"AQ"}]}`, 0, "none of its 1 keys"},
		"RSA exponent huge": {`{"keys":[{"kty":"RSA","kid":"a","n":"` + strings.Repeat("_", 342) + `","e":"` + strings.Repeat("_", 20) + `"}]}`, 0, "none of its 1 keys"},
		"too many":          {`{"keys":[` + strings.Repeat(key+",", maxKeys) + key + `]}`, 0, "has 101 keys"},
	} {
		keys, err := Parse([]byte(tc.set))
		if len(keys) != tc.keys || (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %d keys, %v; want %d, %q", name, len(keys), err, tc.keys, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error quotes the set", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(set(f, "a", "b"))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := Parse(data)
		if (err == nil) != (len(keys) > 0) {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		for _, k := range keys {
			if !k.Usable() {
				t.Errorf("key %q cannot be used", k.ID)
			}
		}
	})
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	huge := filepath.Join(dir, "huge")
	if err := os.WriteFile(huge, make([]byte, maxBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{filepath.Join(dir, "none"): "cannot read the key set", huge: "has more than", dir: "cannot read the key set"} {
		if _, _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for text, ok := range map[string]bool{
		"https://vendor.invalid/jwks.json": true, "https://192.0.2.1:8443/k": true, "http://127.0.0.1:80/k": true, "http://localhost/k": true, "http://[::1]:9/k": true,
		"http://vendor.invalid/k": false, "http://10.0.0.1/k": false, "http://127.0.0.1.evil.invalid/": false, "http://localhost.evil.invalid/": false,
		"ftp://vendor.invalid": false, "file:///etc/passwd": false, "vendor.invalid/k": false, "": false, "https://": false, "https://u:p@vendor.invalid/": false,
	} {
		if err := checkURL(text); (err == nil) != ok {
			t.Errorf("%q: %v, want it taken: %v", text, err, ok)
		}
	}
	if _, err := New(Options{URL: "http://vendor.invalid"}); err == nil {
		t.Error("New takes an address in the clear")
	}
}

// Over a real connection: a set is read, a redirect leads nowhere.
func TestFetch(t *testing.T) {
	visited := 0
	mux := http.NewServeMux()
	mux.HandleFunc("/jwks.json", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set(t, "one")) })
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { visited++ })
	mux.Handle("/moved", http.RedirectHandler("/elsewhere", http.StatusFound))
	server := httptest.NewServer(mux)
	defer server.Close()
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	keys, err := fetch(t.Context(), newClient(), server.URL+"/jwks.json")
	if err != nil || len(keys) != 1 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if _, err := fetch(t.Context(), newClient(), server.URL+"/moved"); err == nil || !strings.Contains(fmt.Sprint(err), "302") || visited > 0 {
		t.Errorf("a redirect: %v, followed %d times", err, visited)
	}
}
