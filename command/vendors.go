package command

import (
	"slices"
	"strings"

	"github.com/kycbridge/kycbridge/providers"
)

// vendors are those that the program was built with, in the order of their names.
type vendors []providers.Provider

func (v vendors) names() []string {
	var names []string
	for _, p := range v {
		names = append(names, p.Name)
	}
	return names
}

// list is the names as text.
func (v vendors) list() string { return strings.Join(v.names(), ", ") }

func (v vendors) find(name string) (providers.Provider, error) {
	i := slices.IndexFunc(v, func(p providers.Provider) bool { return p.Name == name })
	if i < 0 {
		return providers.Provider{}, usagef("unknown vendor %q; expected one of %s", name, v.list())
	}
	return v[i], nil
}

// check refuses unknown vendors.
func (v vendors) check(names []string) error {
	for _, name := range names {
		if _, err := v.find(name); err != nil {
			return err
		}
	}
	return nil
}

// sampleVendor is the vendor in the examples of the help.
const sampleVendor = "complycube"

// inExamples is an example with a vendor that there is.
func (v vendors) inExamples(text string) string {
	if slices.Contains(v.names(), sampleVendor) {
		return text
	}
	return strings.ReplaceAll(text, sampleVendor, v[0].Name)
}
