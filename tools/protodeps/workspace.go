package main

import (
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// registryName is the dependency that this program can stand in for.
const registryName = "buf.build/bufbuild/protovalidate"

// derive turns the text of buf.yaml into that of an offline workspace: deps
// goes, and a module in folder takes the dependency's name. Lint and breaking
// rules stay as they are for our own modules and skip that folder.
func derive(source []byte, folder string) ([]byte, error) {
	var config map[string]any
	if err := yaml.Unmarshal(source, &config); err != nil {
		return nil, err
	}
	if v, _ := config["version"].(string); v != "v2" {
		return nil, fmt.Errorf("version is %q, expected v2", v)
	}
	if deps, _ := config["deps"].([]any); !slices.Equal(deps, []any{registryName}) {
		return nil, fmt.Errorf("deps is %v, expected only %s: teach tools/protodeps the others", deps, registryName)
	}
	modules, _ := config["modules"].([]any)
	if len(modules) == 0 {
		return nil, errors.New("no modules")
	}
	delete(config, "deps")
	config["modules"] = append(modules, map[string]any{"path": folder, "name": registryName})
	for _, section := range []string{"lint", "breaking"} {
		if err := ignore(config, section, folder); err != nil {
			return nil, err
		}
	}
	return yaml.Marshal(config)
}

func ignore(config map[string]any, section, folder string) error {
	rules, ok := config[section].(map[string]any)
	if !ok {
		return fmt.Errorf("no section %s", section)
	}
	ignored, _ := rules["ignore"].([]any)
	rules["ignore"] = append(ignored, folder)
	return nil
}
