package config

import (
	"strings"
	"testing"

	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// TestEnumValues: a value is given by its full name, without the beginning that all of them share, or by its number;
// whoever writes anything else is told where, and the names.
func TestEnumValues(t *testing.T) {
	const (
		asIs   = configv1.CustomerReference_CUSTOMER_REFERENCE_AS_IS
		hashed = configv1.CustomerReference_CUSTOMER_REFERENCE_HASHED
	)
	parse := func(value string) (*Config, error) {
		text := strings.ReplaceAll(read(t, "testdata/good/smallest.yaml"), "ENVIRONMENT_SANDBOX", "SANDBOX")
		return Parse("c.yaml", []byte(strings.Replace(text, "    environment:", "    customer_reference: "+value+"\n    environment:", 1)), environment(t), everything())
	}
	for value, want := range map[string]configv1.CustomerReference{
		"AS_IS": asIs, `"AS_IS"`: asIs, "CUSTOMER_REFERENCE_AS_IS": asIs, "2": asIs,
		"HASHED": hashed, "CUSTOMER_REFERENCE_HASHED": hashed, "UNSPECIFIED": hashed, "0": hashed,
	} {
		c, err := parse(value)
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if got := c.Endpoints[0].GetCustomerReference(); got != want {
			t.Errorf("%s is %s, want %s", value, got, want)
		}
		if got := c.ReferenceAsIs()(c.Endpoints[0].GetName()); got != (want == asIs) || c.ReferenceAsIs()("another") {
			t.Errorf("%s: the reference leaves as it came: %v", value, got)
		}
	}
	for _, value := range []string{"as_is", "AS", "IS", "_AS_IS", "REFERENCE_AS_IS", "3", "true", "SANDBOX"} {
		_, err := parse(value)
		if err == nil || !strings.Contains(err.Error(), "endpoints[0].customer_reference: ") {
			t.Errorf("%s: %v, want it refused where it stands", value, err)
		}
		if value != "3" && !strings.HasSuffix(err.Error(), ", expected HASHED or AS_IS") {
			t.Errorf("%s: %v, want what may be written", value, err)
		}
	}
}

// TestMappingKnowsHowReferencesLeave: each process that makes events, or says what a mapping makes of a delivery,
// reads the setting, and what else it takes of the endpoints; who only reads topics reads no endpoints at all.
func TestMappingKnowsHowReferencesLeave(t *testing.T) {
	for name, tc := range map[string]struct {
		needs Needs
		asIs  bool
	}{
		"normalize": {Needs{Normalize: true}, true},
		"hydrate":   {Needs{Hydrate: true}, true},
		"all":       {everything(), true},
		"mapping":   {Needs{Mapping: true}, true},
		"topics":    {Needs{}, false},
	} {
		tc.needs.Vendors = everything().Vendors
		c, err := Load("testdata/good/proofs.yaml", environment(t), tc.needs)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		leaves := c.ReferenceAsIs()
		if got := leaves("two-bearers"); got != tc.asIs || leaves("every-way") {
			t.Errorf("%s: the references of the endpoint that says so leave as they came: %v, want %v; of another: %v", name, got, tc.asIs, leaves("every-way"))
		}
		if len(c.Endpoints) > 0 && !tc.needs.Ingest && c.Endpoints[0].Proofs.Prove() {
			t.Errorf("%s reads the secrets of endpoints", name)
		}
	}
}
