package ingest

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kycbridge/kycbridge/providers/auth"
)

const testToken = "a-token-in-the-address-0123456789"

// testTwoFactors has "one" as ever, "addressed" with a path token, and "guarded"
// with a bearer token, a signature and a list of networks.
func testTwoFactors(t testing.TB, log rawLog) Options {
	o := testOptions(t, log)
	token, err := auth.NewSecret("in-the-address", []byte(testToken), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	addressed, guarded := o.Endpoints[0], o.Endpoints[0]
	addressed.Name, addressed.Proofs = "addressed", proofs(auth.PathToken{}, token)
	guarded.Name = "guarded"
	guarded.Proofs = append(proofs(auth.Bearer{}, token), guarded.Proofs[0],
		auth.Proof{Scheme: auth.Networks{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}})
	o.Endpoints = append(o.Endpoints, addressed, guarded)
	o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	return o
}

func post(path string, change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(testBody))
	r.RemoteAddr = "192.0.2.1:1234"
	for _, c := range change {
		c(r)
	}
	return r
}

// TestPathToken: the token belongs to its endpoint and to no other, and is in
// neither envelope nor log.
func TestPathToken(t *testing.T) {
	var logged bytes.Buffer
	log := ackAll()
	o := testTwoFactors(t, log)
	o.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := newServer(t, o)
	for path, want := range map[string]int{
		"/hooks/addressed/" + testToken:       200,
		"/hooks/addressed":                    401,
		"/hooks/addressed/":                   401,
		"/hooks/addressed//" + testToken:      401,
		"/hooks/addressed/" + testToken + "/": 401,
		"/hooks/addressed/x" + testToken:      401,
		"/hooks/addressed/" + testToken[1:]:   401,
		"/hooks/none/" + testToken:            401,
		"/hooks//" + testToken:                401,
		"/hooks/" + testToken:                 401,
	} {
		if w := serve(s, post(path)); w.Code != want {
			t.Errorf("%s is answered %d, want %d", path, w.Code, want)
		}
	}
	// More path than an endpoint takes makes it an unknown one, however well signed.
	r := signed(t, "one", "old", testBody)
	r.URL.Path += "/" + testToken
	if w := serve(s, r); w.Code != 401 {
		t.Errorf("a signed request with more path is answered %d, want 401", w.Code)
	}
	records := log.all()
	if len(records) != 1 || records[0].envelope.GetSecretId() != "in-the-address" {
		t.Fatalf("%d appends, want one", len(records))
	}
	if strings.Contains(logged.String()+records[0].envelope.String(), testToken) {
		t.Error("the token is in the log or the envelope")
	}
}

// TestEveryProofMustPass: a signature, a bearer token and an address; any one
// missing and nothing is stored.
func TestEveryProofMustPass(t *testing.T) {
	bearer := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+testToken) }
	sign := func(r *http.Request) { signInto(t, "new", []byte(testBody), r.Header) }
	from := func(peer string, forwarded ...string) func(*http.Request) {
		return func(r *http.Request) { r.RemoteAddr, r.Header["X-Forwarded-For"] = peer, forwarded }
	}
	for name, tc := range map[string]struct {
		change []func(*http.Request)
		want   int
	}{
		"all":                        {[]func(*http.Request){bearer, sign}, 200},
		"all, through a proxy":       {[]func(*http.Request){bearer, sign, from("10.0.0.1:5", "192.0.2.7")}, 200},
		"no bearer":                  {[]func(*http.Request){sign}, 401},
		"no signature":               {[]func(*http.Request){bearer}, 401},
		"nothing":                    {nil, 401},
		"another address":            {[]func(*http.Request){bearer, sign, from("203.0.113.9:5")}, 403},
		"another address, no proof":  {[]func(*http.Request){from("203.0.113.9:5")}, 403},
		"another, forging the right": {[]func(*http.Request){bearer, sign, from("203.0.113.9:5", "192.0.2.7")}, 403},
		"forged left of the proxy":   {[]func(*http.Request){bearer, sign, from("10.0.0.1:5", "192.0.2.7, 203.0.113.9")}, 403},
		"forged in a line before":    {[]func(*http.Request){bearer, sign, from("10.0.0.1:5", "192.0.2.7", "203.0.113.9")}, 403},
		"a proxy that says nothing":  {[]func(*http.Request){bearer, sign, from("10.0.0.1:5")}, 403},
		"no address":                 {[]func(*http.Request){bearer, sign, from("@")}, 403},
	} {
		log := ackAll()
		w := serve(newServer(t, testTwoFactors(t, log)), post("/hooks/guarded", tc.change...))
		if records := log.all(); w.Code != tc.want || (w.Code == 200) != (len(records) == 1) {
			t.Errorf("%s: answered %d with %d appends, want %d", name, w.Code, len(records), tc.want)
		} else if len(records) == 1 && records[0].envelope.GetSecretId() != "in-the-address,new" {
			t.Errorf("%s: secret id is %q, want both", name, records[0].envelope.GetSecretId())
		}
	}
}

// A stranger learns nothing from what follows a name: the answers to a name with
// and without more path are alike, whether the name exists or not.
func TestMorePathTellsNothing(t *testing.T) {
	s := newServer(t, testTwoFactors(t, ackAll()))
	for _, name := range []string{"one", "addressed", "guarded", "none", "other", "", "two"} {
		for _, peer := range []string{"192.0.2.1:5", "203.0.113.9:5"} {
			answer := func(path string) string {
				w := serve(s, post(path, func(r *http.Request) { r.RemoteAddr = peer }))
				w.Header().Del(deliveryIDHeader)
				var header bytes.Buffer
				_ = w.Header().Write(&header)
				return w.Result().Status + header.String() + w.Body.String()
			}
			plain := answer("/hooks/" + name)
			for _, more := range []string{"/", "/x", "/x/y"} {
				if got := answer("/hooks/" + name + more); got != plain {
					t.Errorf("%q from %s: with %q %s, without %s", name, peer, more, got, plain)
				}
			}
		}
	}
}

// An endpoint that is open to anybody says so in the log and in metrics; names
// beside it stay closed.
func TestAllowUnauthenticated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged lockedBuffer
		registry := prometheus.NewRegistry()
		o := testOptions(t, ackAll())
		o.Endpoints[0].Proofs, o.Endpoints[0].AllowUnauthenticated = nil, true
		o.Registerer, o.Logger = registry, slog.New(slog.NewTextHandler(&logged, nil))
		s := newServer(t, o)
		l, stop := run(t, s)
		for path, want := range map[string]int{"/hooks/one": 200, "/hooks/one/x": 401, "/hooks/none": 401} {
			var request bytes.Buffer
			if err := post(path).Write(&request); err != nil {
				t.Fatal(err)
			}
			if got := exchange(l, request.Bytes()); got.status != want {
				t.Errorf("%s is answered %d, %v; want %d", path, got.status, got.err, want)
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := gathered(t, registry)[`kycbridge_ingest_unauthenticated_total{endpoint="one"}`]; got != 1 {
			t.Errorf("%v deliveries without proof are counted, want 1", got)
		}
		if !strings.Contains(logged.String(), "without authentication") {
			t.Errorf("the log does not say it: %s", logged.String())
		}
	})
}

// No live secret is our fault: 503, so that the vendor comes again.
func TestSecretsHaveEnded(t *testing.T) {
	ended, err := auth.NewSecret("old", []byte("synthetic-secret-old"), time.Time{}, time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	o := testOptions(t, ackAll())
	o.Endpoints[0].Proofs = proofs(testScheme, ended)
	s := newServer(t, o)
	if w := serve(s, signed(t, "one", "old", testBody)); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("answered %d, want 503 with Retry-After", w.Code)
	}
	if w := serve(s, post("/hooks/one")); w.Code != 401 {
		t.Errorf("no signature is answered %d, want 401", w.Code)
	}
}
