package dev

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/config/generated"
	"github.com/kycbridge/kycbridge/internal/serve"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// hook is an endpoint of dev: what it is configured with, and what the banner says of it.
type hook struct{ name, proof, shown string }

// TestEndpoints: people and scripts name the endpoints of dev, so they stay what they are.
func TestEndpoints(t *testing.T) {
	const jwks = `jwks_file: "DIR/dev/idnow-jwks.json" issuer: "https://idnow.invalid/oidc" audience: "https://hooks.invalid/idnow"`
	const claims = ", kid dev, iss https://idnow.invalid/oidc, aud https://hooks.invalid/idnow"
	want := map[string][]hook{
		"complycube": {{"complycube", `secrets {id: "dev" value: "dev-secret-complycube"}`, "secret dev-secret-complycube"}},
		"idenfy": {
			{"idenfy", `secrets {id: "dev" value: "a-secret-of-my-own"}`, "secret $KYCBRIDGE_SECRET_IDENFY"},
			{"idenfy-headers", `headers {name: "X-Auth-Token" secrets {id: "dev" value: "a-secret-of-my-own"}}`, "X-Auth-Token: $KYCBRIDGE_SECRET_IDENFY"},
		},
		"idnow": {
			{"idnow", `jwt {` + jwks + `}`, "token as body, key DIR/dev/idnow-key.pem" + claims},
			{"idnow-jwt-header", `jwt {` + jwks + ` header: "X-Idnow-Signature"}`, "token in X-Idnow-Signature, key DIR/dev/idnow-key.pem" + claims},
			{"idnow-headers", `jwt {` + jwks + `} headers {name: "X-Auth-Token" secrets {id: "dev" value: "dev-secret-idnow"}}`,
				"X-Auth-Token: dev-secret-idnow, token as body, key DIR/dev/idnow-key.pem" + claims},
		},
		"idwise": {
			{"idwise", `basic {id: "dev" value: "dev:dev-secret-idwise"}`, "basic dev:dev-secret-idwise"},
			{"idwise-bearer", `bearer {id: "dev" value: "dev-secret-idwise"}`, "bearer dev-secret-idwise"},
			{"idwise-headers", `headers {name: "X-Auth-Token" secrets {id: "dev" value: "dev-secret-idwise"}}`, "X-Auth-Token: dev-secret-idwise"},
		},
		"proofme": {{"proofme", `path_tokens {id: "dev" value: "dev-secret-proofme"}`, "followed by /dev-secret-proofme"}},
	}
	for name, hooks := range want {
		v, ok := catalog.Find(name)
		if !ok {
			t.Fatalf("no vendor %s", name)
		}
		checkEndpoints(t, v, hooks)
	}
}

// TestConfigurationIsProven: as any process with a valid configuration, dev compiles no rules.
func TestConfigurationIsProven(t *testing.T) {
	keys := testKeys(t)
	o := Options{Vendors: catalog.All(), Listen: "127.0.0.1:8080", Admin: "127.0.0.1:9090", Dir: keys.Dir, TLS: true, Lookup: keys.Lookup}
	m, err := o.message([]string{"127.0.0.1:9092"}, "127.0.0.1:6379", "http://127.0.0.1:1")
	if err != nil || !generated.Valid(m) {
		t.Errorf("the configuration is not proven valid, error %v: %v", err, m)
	}
}

// TestEveryNameIsServed: a vendor under whatever name a catalogue takes gets endpoints whose
// names and built-in secrets a configuration takes, in each way in which it can prove itself.
func TestEveryNameIsServed(t *testing.T) {
	keys := testKeys(t)
	for _, name := range []string{"a", "zz", "x-1", "acme", "a-b-c", "7", strings.Repeat("a", 48)} {
		v, _ := catalog.Find("complycube")
		v.Name, v.MapperVersion = name, name+"/1"
		v.Proofs = []auth.Scheme{auth.Basic{}, auth.Bearer{}, auth.Header{}, auth.PathToken{}, auth.JWT{Claim: "data"}}
		all, err := providers.Catalogue([]providers.Provider{v})
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Vendors: all, Listen: "127.0.0.1:8080", Admin: "127.0.0.1:9090", Dir: keys.Dir, Lookup: keys.Lookup}
		m, err := o.message([]string{"127.0.0.1:9092"}, "127.0.0.1:6379", "http://127.0.0.1:1")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c, err := config.Build("dev", m, config.Needs{Ingest: true, Normalize: true, Hydrate: true, Vendors: all})
		if err != nil || len(c.Endpoints) != len(v.Ways()) {
			t.Errorf("%s: the configuration is not taken, or lacks endpoints: %v", name, err)
		}
	}
}

// checkEndpoints compares the endpoints of a vendor in dev. DIR in what is wanted is the
// data directory.
func checkEndpoints(t *testing.T, v providers.Provider, want []hook) {
	t.Helper()
	keys := testKeys(t)
	all, err := endpoints(keys, v, "http://127.0.0.1:1")
	if err != nil || len(all) != len(want) {
		t.Fatalf("%s: %d endpoints, %v; want %d", v.Name, len(all), err, len(want))
	}
	var out, banner strings.Builder
	for i, w := range want {
		e := &configv1.Endpoint{}
		if err := prototext.Unmarshal([]byte(strings.ReplaceAll(w.proof, "DIR", keys.Dir)), e); err != nil {
			t.Fatal(err)
		}
		e.Name, e.Provider, e.Environment, e.Api = w.name, v.Name, providers.FixtureEnvironment, all[i].Api
		if !proto.Equal(all[i], e) {
			t.Errorf("endpoint\n%v, want\n%v", all[i], e)
		}
		fmt.Fprintf(&banner, "  webhooks   POST http://127.0.0.1:8080/hooks/%s   (%s)\n", w.name, strings.ReplaceAll(w.shown, "DIR", keys.Dir))
	}
	printHooks(&out, keys, serve.Addresses{Hooks: "127.0.0.1:8080"}, v)
	if out.String() != banner.String() {
		t.Errorf("the banner says\n%swant\n%s", &out, &banner)
	}
}
