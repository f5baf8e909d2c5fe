package simulate

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// TestWaysProve: what a way sends is accepted by the endpoint that is configured with it,
// and refused once it is forged.
func TestWaysProve(t *testing.T) {
	keys := Keyring{Dir: t.TempDir(), Lookup: func(name string) (string, bool) {
		return "a-secret-of-my-own", name == "KYCBRIDGE_SECRET_IDENFY"
	}}
	for _, v := range catalog.All() {
		proofs := configure(t, keys, v)
		ways, err := keys.Ways(v)
		if err != nil {
			t.Fatal(err)
		}
		fixtures, err := v.GoodFixtures()
		if err != nil || len(ways) != len(v.Ways()) {
			t.Fatalf("%s: %d ways, %v", v.Name, len(ways), err)
		}
		for _, way := range ways {
			forged, err := way.Forged()
			if err != nil {
				t.Fatal(err)
			}
			if err := verify(t, proofs[way.Endpoint], v, way, fixtures[0]); err != nil {
				t.Errorf("%s: %v", way.Endpoint, err)
			}
			if verify(t, proofs[way.Endpoint], v, forged, fixtures[0]) == nil {
				t.Errorf("%s: what is forged is accepted", way.Endpoint)
			}
		}
	}
}

// configure makes what the endpoints of a vendor are judged with.
func configure(t *testing.T, keys Keyring, v providers.Provider) map[string]auth.Proofs {
	t.Helper()
	ways, keySet, err := keys.Prepare(v)
	if err != nil {
		t.Fatal(err)
	}
	m := &configv1.Config{Kafka: &configv1.Kafka{Brokers: []string{"127.0.0.1:1"}}, Ingest: &configv1.Ingest{Listen: "127.0.0.1:0"}}
	for _, way := range ways {
		e := &configv1.Endpoint{Name: way.Endpoint, Provider: v.Name, Environment: v.FixtureEnvironment(), Api: Configure(v, "http://127.0.0.1:1")}
		way.Prove(e, keySet)
		m.Endpoints = append(m.Endpoints, e)
	}
	c, err := config.Build("test", m, config.Needs{Ingest: true, Vendors: catalog.All()})
	if err != nil {
		t.Fatal(err)
	}
	proofs := map[string]auth.Proofs{}
	for _, e := range c.Endpoints {
		proofs[e.Name] = e.Proofs
	}
	return proofs
}

// verify posts a delivery, and judges what arrives.
func verify(t *testing.T, proofs auth.Proofs, v providers.Provider, way Way, f providers.Fixture) (err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, token, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		_, err = proofs.Verify(auth.Request{Header: r.Header, Body: body, Now: time.Now(), PathToken: token})
	}))
	defer server.Close()
	s, newErr := NewSender(v, way, server.URL+"/"+way.Endpoint, 1, "")
	if newErr != nil {
		t.Fatal(newErr)
	}
	defer s.Close()
	if _, postErr := s.post(t.Context(), s.Sign(f, 1)); postErr != nil {
		t.Fatal(postErr)
	}
	return err
}
