package main

import (
	"strings"

	"github.com/kycbridge/kycbridge/providers/catalog"
)

func vendorNames() []string {
	var names []string
	for _, p := range catalog.All() {
		names = append(names, p.Name)
	}
	return names
}

// checkVendors refuses unknown vendors.
func checkVendors(names []string) error {
	for _, name := range names {
		if _, ok := catalog.Find(name); !ok {
			return noVendor(name)
		}
	}
	return nil
}

func noVendor(name string) error {
	return usagef("unknown vendor %q; expected one of %s", name, strings.Join(vendorNames(), ", "))
}
