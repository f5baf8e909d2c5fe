package providers

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// vendorName is what every configuration can hold as a provider, and `dev` as the name of
// an endpoint, with room for what it appends to tell the endpoints of a vendor apart. No
// underscore: variables with secrets write one for a hyphen.
var vendorName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,47}$`)

// versionNumber is the part of a MapperVersion that grows.
var versionNumber = regexp.MustCompile(`^[0-9]{1,9}$`)

// Catalogue is the vendors of a program in the order of their names. The error says of
// every vendor what is wrong with it: see Check. Names must be unique, and there must be
// at least one vendor.
func Catalogue(all []Provider) ([]Provider, error) {
	if len(all) == 0 {
		return nil, errors.New("there is no vendor; expected at least one providers.Provider")
	}
	var problems []error
	count := map[string]int{}
	for i, p := range all {
		if err := p.Check(); err != nil {
			problems = append(problems, fmt.Errorf("vendor %d of %d, named %q: %w", i+1, len(all), p.Name, err))
		}
		if count[p.Name]++; count[p.Name] == 2 && p.Name != "" {
			problems = append(problems, fmt.Errorf("several vendors are named %q; a name stands for one vendor in configurations, records and events: rename one, or leave it out", p.Name))
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return slices.SortedStableFunc(slices.Values(all), func(a, b Provider) int { return cmp.Compare(a.Name, b.Name) }), nil
}

// Check reports what no process could do with a vendor that is put together like this. It
// runs none of its functions: that they do what they should is for the conformance suite.
func (p *Provider) Check() error {
	return errors.Join(p.checkNames(), p.checkParts(), p.checkHydration())
}

func (p *Provider) checkNames() error {
	if !vendorName.MatchString(p.Name) {
		return errors.New("its Name must have 1 to 48 characters of a-z, 0-9 and '-' and begin with a letter or digit, as configurations write it")
	}
	n, ok := strings.CutPrefix(p.MapperVersion, p.Name+"/")
	if !ok || !versionNumber.MatchString(n) {
		return fmt.Errorf("its MapperVersion is %q; expected %q, or a higher number after a change of the mapping", p.MapperVersion, p.Name+"/1")
	}
	return nil
}

// checkParts: without one of these some delivery would end in a panic, or nobody could post one.
func (p *Provider) checkParts() error {
	var problems []error
	for _, part := range []struct {
		name string
		set  bool
	}{
		{"Title", p.Title != ""}, {"Scheme or Proofs", len(p.Ways()) > 0}, {"Key", p.Key != nil},
		{"Parse", p.Parse != nil}, {"Maps", len(p.Maps) > 0},
	} {
		if !part.set {
			problems = append(problems, errors.New(part.name+" is not set"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Maps)) {
		if p.Maps[name] == nil {
			problems = append(problems, fmt.Errorf("its Maps[%q] is nil; expected a function", name))
		}
	}
	if slices.Contains(p.Ways(), nil) {
		problems = append(problems, errors.New("an entry of Proofs is nil; expected a scheme, such as auth.Bearer{}"))
	}
	return errors.Join(problems...)
}

func (p *Provider) checkHydration() error {
	h := p.Hydration
	if h != nil && (h.Needs == nil || len(h.Objects) == 0) {
		return errors.New("its Hydration needs both Objects and Needs; leave it nil for a vendor whose webhooks carry all there is")
	}
	return nil
}
