package ingest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// tokenHeader may hold the event instead of the body.
const tokenHeader = "X-Token"

// tokenServer has one endpoint of a vendor whose events are tokens, proved in one of three ways: by the token as the
// body, by that in the header, by a password.
func tokenServer(t *testing.T, log rawLog, way int) (*Server, auth.JWT, auth.Secret) {
	t.Helper()
	patterns := []auth.Scheme{auth.JWT{Claim: "data"}, auth.JWT{Header: tokenHeader, Claim: "data"}, auth.Header{}}
	pem, err := auth.JWT{Algorithms: []string{"ES256"}}.Traits().MakeKey()
	if err != nil {
		t.Fatal(err)
	}
	key := secretOf(t, "key-1", string(pem))
	public, err := auth.PublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	scheme := auth.Configured(patterns[way], auth.Settings{
		Header: "X-Password", Issuer: "https://issuer.invalid", Audience: "https://hooks.invalid", Algorithms: []string{"ES256"}, Keys: auth.StaticKeys{public},
	})
	signer, ok := scheme.(auth.JWT)
	var secrets []auth.Secret
	if !ok { // the sender is proved by a password, and who signed the token by nothing
		signer = auth.JWT{Claim: "data", Issuer: "i", Audience: "a", Algorithms: []string{"ES256"}}
		secrets = append(secrets, secretOf(t, "password", "a synthetic password"))
	}
	o := testOptions(t, log)
	o.Endpoints[0].Proofs = proofs(scheme, secrets...)
	o.Endpoints[0].Provider.Scheme, o.Endpoints[0].Provider.Proofs = nil, patterns
	o.Endpoints[0].Provider.KeepHeaders = []string{tokenHeader}
	o.Endpoints[0].Provider.Key = func(d *providers.Delivery) string {
		claims, err := auth.Claims(d.Body)
		if err != nil {
			return ""
		}
		return providers.ScanID(claims, "data", "id")
	}
	signer.Header = ""
	return newServer(t, o), signer, key
}

func secretOf(t *testing.T, id, value string) auth.Secret {
	t.Helper()
	s, err := auth.NewSecret(id, []byte(value), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOnlyWhatWasVerifiedIsStored: wherever the token came that proved the sender, it and nothing else is the
// delivery. What the other place says is stored nowhere.
func TestOnlyWhatWasVerifiedIsStored(t *testing.T) {
	const body, header, password = 0, 1, 2
	for _, c := range []struct {
		name                 string
		way                  int
		bodyHas, headerHas   string // "a", "b": tokens about these ids, else as it is
		wantBody, wantHeader string
		key                  string
	}{
		{"the body", body, "a", "", "a", "", "one/a-1"},
		{"the body, beside another token", body, "a", "b", "a", "", "one/a-1"},
		{"the body, beside a text", body, "a", "forged", "a", "", "one/a-1"},
		{"the header, beside JSON", header, `{"id":"b-1"}`, "a", "a", "", "one/a-1"},
		{"the header, beside another token", header, "b", "a", "a", "", "one/a-1"},
		{"the header alone", header, "", "a", "a", "", "one/a-1"},
		{"a password, the token in the body", password, "a", "", "a", "", "one/a-1"},
		{"a password, the token in the header", password, `{"id":"b-1"}`, "a", "a", "", "one/a-1"},
	} {
		log := ackAll()
		s, signer, key := tokenServer(t, log, c.way)
		tokens := map[string]string{}
		for _, id := range []string{"a", "b"} {
			r := auth.Request{Header: http.Header{}, Body: []byte(`{"id":"` + id + `-1"}`), Now: s.options.Now()}
			signer.Sign(key, &r)
			tokens[id] = string(r.Body)
		}
		text := func(what string) string {
			if token, ok := tokens[what]; ok {
				return token
			}
			return what
		}
		r := httptest.NewRequest(http.MethodPost, "/hooks/one", strings.NewReader(text(c.bodyHas)))
		r.Header.Set("X-Password", "a synthetic password")
		r.Header.Set("Content-Encoding", "gzip") // of the body that was sent
		if c.headerHas != "" {
			r.Header.Set(tokenHeader, text(c.headerHas))
		}
		if w := serve(s, r); w.Code != http.StatusOK {
			t.Errorf("%s: answered %d", c.name, w.Code)
			continue
		}
		got := log.all()[0]
		if string(got.envelope.GetBody()) != text(c.wantBody) {
			t.Errorf("%s: the body stored is %q, want token %s", c.name, got.envelope.GetBody(), c.wantBody)
		}
		if h := headerOf(got.envelope, tokenHeader); h != c.wantHeader {
			t.Errorf("%s: the header stored is %q, want %q", c.name, h, c.wantHeader)
		}
		wantEncoding := "gzip"
		if string(got.envelope.GetBody()) != text(c.bodyHas) {
			wantEncoding = "" // another stands in its place
		}
		if h := headerOf(got.envelope, "Content-Encoding"); h != wantEncoding {
			t.Errorf("%s: the content encoding stored is %q, want %q", c.name, h, wantEncoding)
		}
		if string(got.key) != c.key {
			t.Errorf("%s: the key is %s, want %s", c.name, got.key, c.key)
		}
	}
}

func headerOf(e *kycv1.RawEnvelope, name string) string {
	for _, h := range e.GetHeaders() {
		if h.GetName() == name {
			return h.GetValue()
		}
	}
	return ""
}
