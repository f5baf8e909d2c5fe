package main

import (
	"crypto"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/providers/providertest"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// reversed is a scheme that nobody but this test knows: an HMAC over the body read
// backwards.
type reversed struct{}

var reversedMAC = auth.HMAC{Header: "X-Reversed", Hash: crypto.SHA256}

func (reversed) Verify(secrets []auth.Secret, r auth.Request) (string, error) {
	r.Body = backwards(r.Body)
	return reversedMAC.Verify(secrets, r)
}

func (reversed) Sign(s auth.Secret, r *auth.Request) {
	reversedMAC.Sign(s, &auth.Request{Header: r.Header, Body: backwards(r.Body)})
}

func (reversed) Traits() auth.Traits {
	return auth.Traits{
		Kind: "reversed", Setting: "secrets", Header: reversedMAC.Header, BindsBody: true,
		Check:       auth.Bearer{}.Traits().Check, // printable ASCII
		Description: "`secrets`: HMAC-SHA256 of the raw body read backwards",
		Prompt:      "read backwards, secret ",
	}
}

func backwards(body []byte) []byte {
	body = slices.Clone(body)
	slices.Reverse(body)
	return body
}

// TestNewScheme: whoever reads schemes can handle one of which they know nothing but
// its value in the vendor's Scheme. It is here because a program's package can be
// imported by no other.
func TestNewScheme(t *testing.T) {
	vendor, _ := catalog.Find("complycube")
	vendor.Scheme, vendor.Proofs = reversed{}, []auth.Scheme{auth.Header{}}
	t.Run("suite", func(t *testing.T) {
		t.Chdir("../../providers/complycube")
		providertest.Run(t, vendor)
	})
	t.Run("configuration", func(t *testing.T) { newSchemeConfigured(t, vendor) })
	t.Run("document", func(t *testing.T) {
		page, err := document([]providers.Provider{vendor}, os.DirFS("../.."))
		if want := "\n* " + (reversed{}).Traits().Description + "\n"; err != nil || !strings.Contains(string(page), want) {
			t.Errorf("error %v, and the page does not contain %q", err, want)
		}
	})
}

// newSchemeConfigured: its secrets are asked for, read and checked, and no other check
// may read its header.
func newSchemeConfigured(t *testing.T, vendor providers.Provider) {
	right := proof{reversed{}, "right", "a secret of the test"}
	proofs, err := configure(t, vendor, right)
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
	for want, wrong := range map[string][]proof{
		"set secrets or headers, which ComplyCube supports":   nil,
		"use printable ASCII":                                 {{reversed{}, "wrong", "a secret\nof two lines"}},
		"secrets and headers both read the header X-Reversed": {right, {auth.Header{Name: "x-reversed"}, "other", "another secret of the test"}},
	} {
		if _, err := configure(t, vendor, wrong...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

// proof is what an endpoint wants to see, and the secret for it.
type proof struct {
	scheme     auth.Scheme
	id, secret string
}

// configure is what an endpoint of the vendor checks.
func configure(t *testing.T, vendor providers.Provider, wanted ...proof) (auth.Proofs, error) {
	t.Helper()
	e := &configv1.Endpoint{Name: "one", Provider: vendor.Name, Environment: kycv1.Environment_ENVIRONMENT_SANDBOX}
	for _, w := range wanted {
		if err := config.Prove(e, w.scheme, []*configv1.Secret{{Id: w.id, Value: w.secret}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Build("test", &configv1.Config{
		Kafka:  &configv1.Kafka{Brokers: []string{"127.0.0.1:1"}},
		Ingest: &configv1.Ingest{Listen: "127.0.0.1:2"}, Endpoints: []*configv1.Endpoint{e},
	}, config.Needs{Ingest: true, Vendors: []providers.Provider{vendor}})
	if err != nil {
		return nil, err
	}
	return c.Endpoints[0].Proofs, nil
}
