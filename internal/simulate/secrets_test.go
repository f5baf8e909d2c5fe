package simulate

import (
	"net"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

// TestBuiltInSecretsAreKnown: a configuration knows every built-in secret of `dev`, as each way has it, and every
// credential for the APIs that it plays.
func TestBuiltInSecretsAreKnown(t *testing.T) {
	keys := Keyring{Lookup: func(string) (string, bool) { return "", false }, Dir: t.TempDir()}
	for _, v := range catalog.All() {
		ways, err := keys.Ways(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range ways {
			for _, c := range keys.Checks(w) {
				for _, s := range c.Secrets {
					if secret.Of(s.Value).Weak() == "" {
						t.Errorf("%s: nothing is said against the built-in secret", w.Endpoint)
					}
				}
			}
		}
		if a := Configure(v, "http://127.0.0.1:1"); a != nil {
			for _, text := range []string{a.Key, a.Password, a.ClientSecret} {
				if secret.Of(text).Weak() == "" {
					t.Errorf("%s: nothing is said against the built-in credentials of its API", v.Name)
				}
			}
		}
	}
}

// TestOwnSecretsAreChecked: `dev` and `send` would agree on a line break at the end, and the vendor on none.
func TestOwnSecretsAreChecked(t *testing.T) {
	for _, own := range []string{"hunter2hunter2hunter2\n", " hunter2hunter2hunter2", `"hunter2hunter2hunter2"`} {
		keys := Keyring{Lookup: func(string) (string, bool) { return own, true }, Dir: t.TempDir()}
		for _, v := range catalog.All() {
			if _, err := keys.Ways(v); err == nil || !strings.Contains(err.Error(), secretVariable(v.Name)) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s with %q: error is %v", v.Name, own, err)
			}
		}
	}
}

// TestFailedPostsHideTheAddress: a secret may be its last part.
func TestFailedPostsHideTheAddress(t *testing.T) {
	const own = "hunter2hunter2hunter2"
	keys := Keyring{Lookup: func(string) (string, bool) { return own, true }, Dir: t.TempDir()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close() // nobody answers there
	shown := 0
	for _, v := range catalog.All() {
		ways, err := keys.Ways(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range ways {
			s, err := NewSender(v, w, "http://"+l.Addr().String()+"/hooks/"+w.Endpoint, 1, "")
			if err != nil {
				t.Fatal(err)
			}
			d := s.Seal([]byte("{}"), nil)
			if strings.Contains(d.URL, own) {
				shown++
			}
			if _, err := s.post(t.Context(), d); err == nil || strings.Contains(err.Error(), own) {
				t.Errorf("%s: the failure is %v", w.Endpoint, err)
			}
		}
	}
	if shown == 0 {
		t.Error("no way has its secret in the address")
	}
}
