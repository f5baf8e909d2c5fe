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

// checkVendors refuses names of vendors that there are not.
func checkVendors(names []string) error {
	for _, name := range names {
		if _, ok := catalog.Find(name); !ok {
			return noVendor(name)
		}
	}
	return nil
}

func noVendor(name string) error {
	return usagef("there is no vendor %q; there are: %s", name, strings.Join(vendorNames(), ", "))
}
