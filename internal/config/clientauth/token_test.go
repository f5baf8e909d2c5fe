package clientauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const clientSecret = "s3cret/with+signs"

// tokenServer counts questions and answers with what is given for each.
func tokenServer(t *testing.T, status int, answer func(n int) string) (Client, *[]*http.Request) {
	t.Helper()
	var asked []*http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		asked = append(asked, r)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		fmt.Fprint(w, answer(len(asked)))
	}))
	t.Cleanup(server.Close)
	return Client{URL: server.URL + "/token", ID: "kyc", Secret: func() string { return clientSecret }, Scopes: []string{"a", "b"}, Audience: "kafka"}, &asked
}

func TestTokensAreKept(t *testing.T) {
	for name, test := range map[string]struct {
		life string
		want []string
	}{
		"a long life":  {`,"expires_in":3600`, []string{"token-1", "token-1"}},
		"over at once": {`,"expires_in":0`, []string{"token-1", "token-2"}},
		"not said":     {``, []string{"token-1", "token-2"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, asked := tokenServer(t, 200, func(n int) string {
				return fmt.Sprintf(`{"access_token":"token-%d","token_type":"Bearer"%s}`, n, test.life)
			})
			tokens := c.Tokens()
			for _, want := range test.want {
				if got, err := tokens(t.Context()); err != nil || got != want {
					t.Errorf("token %q, %v; want %q", got, err, want)
				}
			}
			r := (*asked)[0]
			user, password, _ := r.BasicAuth()
			if r.Form.Get("grant_type") != "client_credentials" || r.Form.Get("scope") != "a b" || r.Form.Get("audience") != "kafka" ||
				user != "kyc" || password != url.QueryEscape(clientSecret) {
				t.Errorf("asked with %v as %q", r.Form, user)
			}
		})
	}
}

// A secret that was changed is used with the next question.
func TestChangedClientSecretIsUsed(t *testing.T) {
	c, asked := tokenServer(t, 200, func(int) string { return `{"access_token":"x"}` })
	secrets := []string{"first", "second"}
	c.Secret = func() string { return secrets[len(*asked)] }
	tokens := c.Tokens()
	for i, want := range secrets {
		if _, err := tokens(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, got, _ := (*asked)[i].BasicAuth(); got != want {
			t.Errorf("question %d was asked with %q, want %q", i, got, want)
		}
	}
}

// TestTokenAddressIsShownWithoutItsQuery: what authenticates this program may be in the address as well.
func TestTokenAddressIsShownWithoutItsQuery(t *testing.T) {
	const key = "hunter2hunter2"
	refused, _ := tokenServer(t, 401, func(int) string { return "{}" })
	away := Client{URL: "http://127.0.0.1:1/token", Secret: func() string { return clientSecret }}
	for _, c := range []Client{refused, away} {
		shown := c.URL
		c.URL += "?api-key=" + key
		_, err := c.Tokens()(t.Context())
		if err == nil || strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "token from "+shown+": ") {
			t.Errorf("error is %v, want one from %s", err, shown)
		}
	}
}

// TestProxyIsNotQuoted: the library quotes what it cannot read of the environment, password and all.
func TestProxyIsNotQuoted(t *testing.T) {
	c := Client{URL: "https://auth.invalid/token", Secret: func() string { return clientSecret }}
	tokens := c.through(func(*http.Request) (*url.URL, error) {
		return nil, errors.New(`invalid proxy address "http://user:hunter2@proxy.internal:%zz"`)
	})
	if _, err := tokens(t.Context()); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "HTTPS_PROXY") {
		t.Errorf("error is %v, want one that names HTTPS_PROXY and not what is in it", err)
	}
}

func TestTokenRefused(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		want   string
	}{
		{401, `{"error":"invalid_client"}`, "status 401 (invalid_client)"},
		{400, `{"error":"` + clientSecret + `"}`, "status 400, expected 200"},
		{500, clientSecret, "status 500, expected 200"},
		{302, ``, "status 302, expected 200"},
		{200, `<html>` + clientSecret, "no bearer token"},
		{200, `{"access_token":"x","token_type":"mac"}`, "no bearer token"},
		{200, "{\"access_token\":\"a\\u0001b\"}", "no bearer token"},
	} {
		c, asked := tokenServer(t, test.status, func(int) string { return test.body })
		token, err := c.Tokens()(t.Context())
		if token != "" || err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), clientSecret) {
			t.Errorf("%d %s: token %q, error %v; want %q and no secret", test.status, test.body, token, err, test.want)
		}
		if len(*asked) != 1 {
			t.Errorf("%d: asked %d times, want once: a redirect takes the secret elsewhere", test.status, len(*asked))
		}
	}
}

func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	tokens := TokenFile(path)
	for _, want := range []string{"first", "second"} {
		if err := os.WriteFile(path, []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := tokens(t.Context()); err != nil || got != want {
			t.Errorf("token %q, %v; want %q", got, err, want)
		}
	}
	if err := os.WriteFile(path, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := tokens(t.Context()); err == nil {
		t.Errorf("an empty file gave %q", got)
	}
}
