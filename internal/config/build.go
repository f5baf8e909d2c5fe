package config

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// Build makes a configuration of a message that comes from no file, by the same rules
// and defaults; errors name it by name. It replaces no variables, takes secrets as they are, and takes m over.
func Build(name string, m *configv1.Config, needs Needs) (*Config, error) {
	f := &file{root: &yaml.Node{}, trusted: true}
	if err := f.validate(m); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(f.problems) > 0 {
		return nil, newError(name, f.problems)
	}
	applyDefaults(m)
	c := f.resolve(m, needs)
	if len(f.problems) > 0 {
		return nil, newError(name, f.problems)
	}
	return c, nil
}
