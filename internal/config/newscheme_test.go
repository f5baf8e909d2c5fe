package config

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/auth/authtest"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// TestNewScheme: the secrets of a scheme that this package does not know are asked for,
// read and checked, and no other check may read its header.
func TestNewScheme(t *testing.T) {
	right := wanted{authtest.Reversed{}, "right", "a secret of the test"}
	proofs, err := newcomer(t, right)
	if err != nil {
		t.Fatal(err)
	}
	r := auth.Request{Header: http.Header{}, Body: []byte("body")}
	proofs[0].Scheme.Sign(proofs[0].Secrets[0], &r)
	if ids, err := proofs.Verify(r); err != nil || !slices.Equal(ids, []string{"right"}) {
		t.Errorf("a signed delivery: %q, %v", ids, err)
	}
	r.Body = []byte("ydob")
	if _, err := proofs.Verify(r); !errors.Is(err, auth.ErrMismatch) {
		t.Errorf("another body under the signature: %v", err)
	}
	for want, wrong := range map[string][]wanted{
		"set secrets or headers, which Newcomer supports":     nil,
		"use printable ASCII":                                 {{authtest.Reversed{}, "wrong", "a secret\nof two lines"}},
		"secrets and headers both read the header X-Reversed": {right, {auth.Header{Name: "x-reversed"}, "other", "another secret of the test"}},
	} {
		if _, err := newcomer(t, wrong...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

// wanted is what an endpoint wants to see, and the secret for it.
type wanted struct {
	scheme     auth.Scheme
	id, secret string
}

// newcomer is what an endpoint of a vendor with the new scheme checks.
func newcomer(t *testing.T, all ...wanted) (auth.Proofs, error) {
	t.Helper()
	vendor := providers.Provider{Name: "newcomer", Title: "Newcomer", Scheme: authtest.Reversed{}, Proofs: []auth.Scheme{auth.Header{}}}
	e := &configv1.Endpoint{Name: "one", Provider: vendor.Name, Environment: kycv1.Environment_ENVIRONMENT_SANDBOX}
	for _, w := range all {
		if err := Prove(e, w.scheme, []*configv1.Secret{{Id: w.id, Value: w.secret}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Build("test", &configv1.Config{
		Kafka:  &configv1.Kafka{Brokers: []string{"127.0.0.1:1"}},
		Ingest: &configv1.Ingest{Listen: "127.0.0.1:2"}, Endpoints: []*configv1.Endpoint{e},
	}, Needs{Ingest: true, Vendors: []providers.Provider{vendor}})
	if err != nil {
		return nil, err
	}
	return c.Endpoints[0].Proofs, nil
}
