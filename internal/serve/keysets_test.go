package serve

import (
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers/auth/jwks"
)

// TestKeySetsAreToldApart: an address is a label without its query, and two that differ in nothing else are two.
func TestKeySetsAreToldApart(t *testing.T) {
	var all []*jwks.KeySet
	for _, url := range []string{"https://v.invalid/k?token=hunter2", "https://w.invalid/k", "https://v.invalid/k?token=hunter3"} {
		k, err := jwks.New(jwks.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, k)
	}
	reg := newRegistry()
	reg.MustRegister(keySetAges(all)...)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "url" {
					labels = append(labels, l.GetValue())
				}
			}
		}
	}
	if got, want := strings.Join(labels, " "), "https://v.invalid/k https://v.invalid/k (2) https://w.invalid/k"; got != want {
		t.Errorf("labels are %s, want %s", got, want)
	}
}
