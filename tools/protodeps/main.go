// Program protodeps lets buf work on a machine without the schema registry. It
// writes the .proto sources of the contract's one registry dependency from the
// descriptors in its Go module, and a workspace derived from buf.yaml in which
// a folder of that name stands in for the registry. It is not a package
// manager: it knows the dependencies by name and downloads nothing.
//
// It is a Go module of its own so that the program's go.mod stays free of the
// printer; -want holds it to the version that the program uses.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
)

const descriptorModule = "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go"

func main() {
	want := flag.String("want", "", "version of "+descriptorModule+" that the program uses")
	config := flag.String("config", "buf.yaml", "buf.yaml to derive the workspace from")
	out := flag.String("out", ".buf-deps", "folder to write, as named from where buf runs")
	root := flag.String("root", ".", "folder where buf runs; -config and -out lie in it")
	flag.Parse()
	if err := run(*want, *config, *out, *root); err != nil {
		fmt.Fprintln(os.Stderr, "protodeps:", err)
		os.Exit(1)
	}
}

func run(want, config, out, root string) error {
	if err := sameVersion(want); err != nil {
		return err
	}
	source, err := os.ReadFile(filepath.Join(root, config))
	if err != nil {
		return err
	}
	workspace, err := derive(source, out)
	if err != nil {
		return fmt.Errorf("%s: %w", config, err)
	}
	files := map[string][]byte{"workspace.yaml": workspace, ".gitignore": []byte("*\n")}
	if err := printSources(files); err != nil {
		return err
	}
	return write(filepath.Join(root, out), files)
}

// sameVersion compares the version built into this program with the one that
// the program's own go.mod selects: a rule checked by buf against one version
// and run against another would be a quiet difference.
func sameVersion(want string) error {
	if want == "" {
		return errors.New("-want is missing: give the version from `go list -m " + descriptorModule + "`")
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("no build information: run it with `go run .` in its folder")
	}
	for _, dep := range info.Deps {
		if dep.Path == descriptorModule && dep.Version != want {
			return fmt.Errorf("built with %s %s, the program uses %s: run `go get %s@%s` in tools/protodeps",
				descriptorModule, dep.Version, want, descriptorModule, want)
		}
	}
	return nil
}

// write replaces the folder, so that nothing of an earlier version stays.
func write(dir string, files map[string][]byte) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
