package jwks

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// TestTokensLeadNowhere: a token that names where its keys are is answered from the configured set, and the place
// that it names is never asked.
func TestTokensLeadNowhere(t *testing.T) {
	var led atomic.Int64
	attacker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		led.Add(1)
		_, _ = w.Write(set(t, "theirs"))
	}))
	defer attacker.Close()
	v := &vendor{set: set(t, "ours"), status: 200}
	k, err := New(Options{URL: "https://vendor.invalid/jwks.json", Wait: -1, Client: &http.Client{Transport: v}})
	if err != nil {
		t.Fatal(err)
	}
	k.refresh(t.Context(), slog.New(slog.DiscardHandler))
	own, public := attackersKey(t)
	scheme := auth.JWT{Keys: k, Issuer: "https://issuer.invalid", Audience: "us", Algorithms: []string{"ES256"}}
	for name, header := range map[string]map[string]any{
		"jku":          {"jku": attacker.URL + "/jwks.json", "kid": "theirs"},
		"jku, our key": {"jku": attacker.URL, "kid": "ours"},
		"x5u":          {"x5u": attacker.URL + "/x", "kid": "theirs"},
		"x5c":          {"x5c": []string{base64.StdEncoding.EncodeToString([]byte("x"))}, "kid": "ours"},
		"jwk":          {"jwk": json.RawMessage(public), "kid": "theirs"},
		"an address":   {"kid": attacker.URL + "/jwks.json"},
		"a path":       {"kid": "../../../../etc/passwd"},
		"a query":      {"kid": "ours?url=" + attacker.URL},
		"SQL":          {"kid": "' UNION SELECT 'secret' -- "},
		"a line break": {"kid": "ours\r\nX-Injected: 1"},
		"issuer":       {"iss": attacker.URL, "kid": "theirs"},
	} {
		token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
			"iss": "https://issuer.invalid", "aud": "us", "exp": time.Now().Add(time.Hour).Unix(), "jku": attacker.URL,
		})
		for key, value := range header {
			token.Header[key] = value
		}
		text, err := token.SignedString(own)
		if err != nil {
			t.Fatal(err)
		}
		if id, err := scheme.Verify(nil, auth.Request{Body: []byte(text), Now: time.Now()}); !errors.Is(err, auth.ErrMismatch) {
			t.Errorf("%s: %q, %v; want ErrMismatch", name, id, err)
		}
	}
	if led.Load() != 0 || v.count() != 1 {
		t.Errorf("tokens caused %d requests to the place they name and %d to the vendor's, want none", led.Load(), v.count()-1)
	}
}

// attackersKey is a private key and its public half as a JWK, id "theirs".
func attackersKey(t *testing.T) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	data, err := Marshal(auth.Key{ID: "theirs", Public: &own.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	_, one, _ := strings.Cut(string(data), "[")
	one, _, _ = strings.Cut(one, "]")
	return own, []byte(one)
}

// TestFetchOfAHugeSet: what never ends is given up at the limit.
func TestFetchOfAHugeSet(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"keys":[`)
		for line := []byte(strings.Repeat(`{"kty":"oct"},`, 1000)); ; {
			if _, err := w.Write(line); err != nil {
				return // the reader has had enough
			}
		}
	}))
	defer server.Close()
	if keys, err := fetch(t.Context(), newClient(), server.URL); err == nil || !strings.Contains(err.Error(), fmt.Sprint(maxBytes)) {
		t.Errorf("%d keys, %v; want an error that names the limit", len(keys), err)
	}
}

// dripping is a vendor that answers one byte a second.
type dripping struct{ begun atomic.Int64 }

func (d *dripping) RoundTrip(r *http.Request) (*http.Response, error) {
	d.begun.Add(1)
	return &http.Response{StatusCode: 200, Header: http.Header{}, Request: r, Body: io.NopCloser(drip{r.Context()})}, nil
}

type drip struct{ ctx context.Context }

func (d drip) Read(b []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(time.Second):
		b[0] = ' '
		return 1, nil
	}
}

// TestFetchOfASlowSet: an answer that trickles in is given up after fetchLimit, whoever waits for it.
func TestFetchOfASlowSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dripping{}
		began := time.Now()
		_, err := fetch(t.Context(), &http.Client{Transport: d}, "https://vendor.invalid/jwks.json")
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != fetchLimit || d.begun.Load() != 1 {
			t.Errorf("%v after %s and %d requests, want the end after %s", err, took, d.begun.Load(), fetchLimit)
		}
	})
}
