package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
)

const apiFile = `
kafka: {brokers: ["127.0.0.1:9092"]}
redis: {address: "127.0.0.1:6379"}
ingest: {listen: ":8080"}
endpoints:
  - name: shop
    provider: %s
    environment: ENVIRONMENT_LIVE
    secrets: [{id: one, value: "${SECRET}"}]
    %s
`

// apiVendors: only asks with its API, may can, never has none.
func apiVendors(needs Needs) Needs {
	needs.Vendors = nil
	for name, h := range map[string]*providers.Hydration{"only": {Required: true}, "may": {}, "never": nil} {
		v := everything().Vendors[0]
		v.Name, v.Title, v.Hydration = name, name, h
		needs.Vendors = append(needs.Vendors, v)
	}
	return needs
}

func TestAPI(t *testing.T) {
	all := Needs{Ingest: true, Normalize: true, Hydrate: true}
	for _, tc := range []struct {
		name, vendor, api, want string
		needs                   Needs
	}{
		{"none where one is required", "only", "", "endpoints[0].api: is not set", all},
		{"none where one is required, for normalize", "only", "", "endpoints[0].api: is not set", Needs{Normalize: true}},
		{"none where one may be", "may", "", "", all},
		{"one that nobody asks", "never", `api: {key: "${KEY}"}`, "endpoints[0].api: is set", all},
		{"a key", "may", `api: {key: "${KEY}"}`, "", all},
		{"a key that is missing", "may", `api: {key: "${MISSING}"}`, "set it to the secret", all},
		{"which ingest does not read", "only", `api: {key: "${MISSING}"}`, "", Needs{Ingest: true}},
		{"nor does normalize", "only", `api: {key: "${MISSING}"}`, "", Needs{Normalize: true}},
		{"nor the file", "only", `api: {key_file: "/no/such/file"}`, "", Needs{Ingest: true}},
		{"a file that is missing", "may", `api: {key_file: "/no/such/file"}`, "key_file", all},
		{"a key twice", "may", `api: {key: "${KEY}", key_file: "/x"}`, "not both", all},
		{"plain http", "may", `api: {key: "${KEY}", base_url: "http://api.example.com"}`, "https://", all},
		{"plain http inside", "may", `api: {key: "${KEY}", base_url: "http://10.0.0.1:8080/v1", internal: true}`, "", all},
		{"an address with a user", "may", `api: {key: "${KEY}", base_url: "https://user@api.example.com"}`, "base_url", all},
		{"an address with a query", "may", `api: {key: "${KEY}", base_url: "https://api.example.com/?a=b"}`, "base_url", all},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lookup := func(name string) (string, bool) { return secretValue + name, name != "MISSING" }
			c, err := Parse("x.yaml", []byte(fmt.Sprintf(apiFile, tc.vendor, tc.api)), lookup, apiVendors(tc.needs))
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Fatalf("error is %v, want %q", err, tc.want)
			}
			if err != nil || !strings.Contains(tc.api, "${KEY}") {
				return
			}
			if e := c.Endpoints[0]; e.API.Key.Reveal() != secretValue+"KEY" || e.Api.Key != "" || strings.Contains(fmt.Sprintf("%v %+v", e, e.API), secretValue) {
				t.Error("the key is not taken out of the message, or is shown")
			}
		})
	}
}

// A worker knows which endpoints have an API, and nothing of what is secret about them.
func TestWorkersSeeNoSecrets(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	c, err := Parse("x.yaml", []byte(fmt.Sprintf(apiFile, "only", `api: {key: "${KEY}"}`)), none, apiVendors(Needs{Normalize: true}))
	if err != nil {
		t.Fatal(err)
	}
	if e := c.Endpoints[0]; e.Name != "shop" || e.Api == nil || len(e.Secrets) > 0 || len(e.Proofs) > 0 {
		t.Errorf("endpoint is %v", e.Endpoint)
	}
}
