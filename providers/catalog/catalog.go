// Package catalog is the list of all vendors. Adding one adds one line here. It
// is a package of its own because the vendors import package providers, which
// therefore cannot list them.
//
// It is not a registry: nothing registers itself, and the list never changes
// while the program runs.
package catalog

import (
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/complycube"
	"github.com/kycbridge/kycbridge/providers/idenfy"
	"github.com/kycbridge/kycbridge/providers/idnow"
	"github.com/kycbridge/kycbridge/providers/idwise"
	"github.com/kycbridge/kycbridge/providers/proofme"
)

// All returns every vendor, in the order of their names.
func All() []providers.Provider {
	return []providers.Provider{
		complycube.Provider,
		idenfy.Provider,
		idnow.Provider,
		idwise.Provider,
		proofme.Provider,
	}
}

// Find returns the vendor of that name.
func Find(name string) (providers.Provider, bool) {
	for _, p := range All() {
		if p.Name == name {
			return p, true
		}
	}
	return providers.Provider{}, false
}
