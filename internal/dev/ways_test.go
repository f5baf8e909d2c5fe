package dev

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/simulate"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// TestWaysProve: what is sent in each way is accepted by the endpoint that dev has for it,
// and refused once it is forged.
func TestWaysProve(t *testing.T) {
	for _, v := range catalog.All() {
		if n := checkWays(t, v); n != len(v.Ways()) {
			t.Errorf("%s has %d endpoints, want %d", v.Name, n, len(v.Ways()))
		}
	}
}

// checkWays sends to each endpoint of a vendor, and counts them.
func checkWays(t *testing.T, v providers.Provider) int {
	t.Helper()
	keys := testKeys(t)
	server := httptest.NewServer(judge(t, keys, v))
	defer server.Close()
	ways, err := keys.Ways(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, way := range ways {
		forged, err := way.Forged()
		if err != nil {
			t.Fatal(err)
		}
		changed := http.StatusOK
		if way.BindsBody() {
			changed = http.StatusUnauthorized
		}
		url := server.URL + "/hooks/" + way.Endpoint
		for _, tc := range []struct {
			what    string
			way     simulate.Way
			corrupt bool
			want    int
		}{
			{"a signed delivery", way, false, http.StatusOK},
			{"a forged one", forged, false, http.StatusUnauthorized},
			{"a body changed after it was signed", way, true, changed},
		} {
			if got := post(t, v, tc.way, url, tc.corrupt); got != tc.want {
				t.Errorf("%s: %s is answered %d, want %d", way.Endpoint, tc.what, got, tc.want)
			}
		}
	}
	return len(ways)
}

// testKeys are in a folder of the test; iDenfy's secret is replaced.
func testKeys(t *testing.T) simulate.Keyring {
	return simulate.Keyring{Dir: t.TempDir(), Lookup: func(name string) (string, bool) {
		return "a-secret-of-my-own", name == "KYCBRIDGE_SECRET_IDENFY"
	}}
}

// judge answers as the endpoints that dev has of a vendor.
func judge(t *testing.T, keys simulate.Keyring, v providers.Provider) http.Handler {
	t.Helper()
	m := &configv1.Config{Kafka: &configv1.Kafka{Brokers: []string{"127.0.0.1:1"}}, Ingest: &configv1.Ingest{Listen: "127.0.0.1:0"}}
	var err error
	if m.Endpoints, err = endpoints(keys, v, "http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	c, err := config.Build("test", m, config.Needs{Ingest: true, Vendors: []providers.Provider{v}})
	if err != nil {
		t.Fatal(err)
	}
	proofs := map[string]auth.Proofs{}
	for _, e := range c.Endpoints {
		proofs[e.Name] = e.Proofs
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		endpoint, token, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/hooks/"), "/")
		if _, err := proofs[endpoint].Verify(auth.Request{Header: r.Header, Body: body, Now: time.Now(), PathToken: token}); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
}

// post sends one delivery, and returns the status of its answer.
func post(t *testing.T, v providers.Provider, way simulate.Way, url string, corrupt bool) int {
	t.Helper()
	fixtures, err := v.GoodFixtures()
	if err != nil {
		t.Fatal(err)
	}
	sender, err := simulate.NewSender(v, way, url, 1, "")
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	r := simulate.Burst{Sender: sender, Fixtures: fixtures, Count: 1, Copies: 1, Corrupt: corrupt, Posted: func() {}}.Run(t.Context())
	for status := range r.Statuses {
		return status
	}
	t.Fatal(r.Err)
	return 0
}
