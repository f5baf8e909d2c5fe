package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// TestProofs: what the file says is what is checked, in a fixed order, and two
// endpoints whose keys are at one address share them.
func TestProofs(t *testing.T) {
	c, err := Load("testdata/good/proofs.yaml", environment(t), everything())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"basic [user] headers [header-a] headers [header-b] path_tokens [address] jwt [] allow_from []",
		"jwt []",
		"bearer [token token-next]",
	} {
		var got []string
		for _, p := range c.Endpoints[i].Proofs {
			var ids []string
			for _, s := range p.Secrets {
				ids = append(ids, s.ID)
			}
			got = append(got, fmt.Sprint(p.Scheme.Traits().Kind, " ", ids))
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("endpoint %d checks %s, want %s", i, got, want)
		}
	}
	body, header := c.Endpoints[0].Proofs[4].Scheme.(auth.JWT), c.Endpoints[1].Proofs[0].Scheme.(auth.JWT)
	if len(c.KeySets) != 1 || body.Keys != auth.Keys(c.KeySets[0]) || header.Keys != body.Keys {
		t.Errorf("there are %d key sets, want one that both endpoints share", len(c.KeySets))
	}
	if body.Header != "" || header.Header != "X-Token" || body.Leeway != defaultLeeway || header.Leeway != 0 || body.Issuer == "" || len(body.Algorithms) != 2 {
		t.Errorf("tokens are %+v and %+v", body, header)
	}
	if other := c.Endpoints[0].Proofs[2].Scheme.(auth.Header); other.Name != "X-Other" {
		t.Errorf("the second header is %q", other.Name)
	}
	if got := fmt.Sprint(c.Trusted); got != "[10.0.0.0/8 ::1/128]" {
		t.Errorf("trusted proxies are %s", got)
	}
}

// TestProve: what Prove writes for a scheme is read as that scheme again.
func TestProve(t *testing.T) {
	for _, vendor := range everything().Vendors {
		for _, pattern := range vendor.Ways() {
			scheme := auth.Configured(pattern, auth.Settings{Header: "X-Mine", Issuer: "i", Audience: "a", Leeway: defaultLeeway})
			traits := scheme.Traits()
			var secrets []*configv1.Secret
			if !traits.Keyless {
				secrets = []*configv1.Secret{{Id: "s", Value: traits.Value(secretValue)}}
			}
			e := &configv1.Endpoint{Name: "one", Provider: vendor.Name, Environment: kycv1.Environment_ENVIRONMENT_SANDBOX}
			if err := Prove(e, scheme, secrets, &configv1.Jwt{JwksUrl: "https://vendor.invalid/k", Issuer: "i", Audience: "a"}); err != nil {
				t.Fatal(err)
			}
			c, err := Build("x", &configv1.Config{
				Kafka:  &configv1.Kafka{Brokers: []string{"127.0.0.1:1"}},
				Ingest: &configv1.Ingest{Listen: "127.0.0.1:2"}, Endpoints: []*configv1.Endpoint{e},
			}, Needs{Ingest: true, Vendors: []providers.Provider{vendor}})
			if err != nil {
				t.Errorf("%s of %s: %v", traits.Kind, vendor.Name, err)
				continue
			}
			proof := c.Endpoints[0].Proofs[0]
			if j, ok := proof.Scheme.(auth.JWT); ok {
				j.Keys = nil // of the key server
				proof.Scheme = j
			}
			if !reflect.DeepEqual(proof.Scheme, scheme) || len(proof.Secrets) != len(secrets) {
				t.Errorf("%s of %s: read as %#v with %d secrets, want %#v", traits.Kind, vendor.Name, proof.Scheme, len(proof.Secrets), scheme)
			}
		}
	}
}

// Every way of every vendor can be configured.
func TestEveryWayHasASetting(t *testing.T) {
	for _, vendor := range catalog.All() {
		for _, way := range vendor.Ways() {
			if err := Prove(&configv1.Endpoint{}, way, nil, &configv1.Jwt{}); err != nil {
				t.Errorf("%s: %v", vendor.Name, err)
			}
		}
	}
	if err := Prove(&configv1.Endpoint{}, auth.Networks{}, nil, nil); err == nil {
		t.Error("a list of addresses is written as a proof")
	}
}

// TestAllowUnauthenticated: an endpoint without proof starts with a word for it
// and a warning, an address list beside it or not.
func TestAllowUnauthenticated(t *testing.T) {
	data := read(t, "testdata/bad/proof_none.yaml") + "    allow_unauthenticated: true\n"
	for _, data := range []string{data, data + "    allow_from: [\"192.0.2.0/24\"]\n"} {
		c, err := Parse("x.yaml", []byte(data), environment(t), everything())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(c.Warnings, "\n"); !strings.Contains(got, `endpoint "one" accepts deliveries without authentication`) || c.Endpoints[0].Proofs.Prove() {
			t.Errorf("warnings are %q", got)
		}
	}
}
