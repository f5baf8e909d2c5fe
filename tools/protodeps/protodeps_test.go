package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
)

// What is printed must say what the descriptor says, or buf would lint and
// generate against another dependency than the program runs with.
func TestSourcesCompileToTheSameDescriptor(t *testing.T) {
	files := map[string][]byte{}
	if err := printSources(files); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for name, text := range files {
		texts[name] = string(text)
	}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(
		&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(texts)})}
	for _, want := range sources() {
		got, err := compiler.Compile(context.Background(), want.Path())
		if err != nil {
			t.Fatal(err)
		}
		g, w := protodesc.ToFileDescriptorProto(got[0]), protodesc.ToFileDescriptorProto(want)
		if !equal(t, g, w) {
			t.Errorf("%s compiles to another descriptor than the one it was printed from", want.Path())
		}
	}
}

// equal compares on the wire, where it does not matter whether a custom option
// is held as a known or as an unknown field.
func equal(t *testing.T, a, b proto.Message) bool {
	t.Helper()
	return proto.Equal(reread(t, a), reread(t, b))
}

func reread(t *testing.T, m proto.Message) proto.Message {
	t.Helper()
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	again := m.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(wire, again); err != nil {
		t.Fatal(err)
	}
	return again
}

func TestDerive(t *testing.T) {
	const rules = "lint:\n  use:\n    - STANDARD\nbreaking:\n  use:\n    - FILE\n"
	const good = "version: v2\nmodules:\n  - path: proto\ndeps:\n  - buf.build/bufbuild/protovalidate\n" + rules
	got, err := derive([]byte(good), ".deps")
	if err != nil {
		t.Fatal(err)
	}
	const want = `breaking:
    ignore:
        - .deps
    use:
        - FILE
lint:
    ignore:
        - .deps
    use:
        - STANDARD
modules:
    - path: proto
    - name: buf.build/bufbuild/protovalidate
      path: .deps
version: v2
`
	if string(got) != want {
		t.Errorf("derived:\n%s\nwant:\n%s", got, want)
	}
	for name, bad := range map[string]string{
		"no yaml":          "\t",
		"old version":      strings.Replace(good, "v2", "v1", 1),
		"no deps":          "version: v2\nmodules:\n  - path: proto\n" + rules,
		"other dependency": strings.Replace(good, "protovalidate", "other", 1),
		"no modules":       "version: v2\ndeps:\n  - buf.build/bufbuild/protovalidate\n" + rules,
		"no rules":         strings.TrimSuffix(good, rules),
	} {
		if got, err := derive([]byte(bad), ".deps"); err == nil {
			t.Errorf("%s: derived %q, want an error", name, got)
		}
	}
}

func TestWriteLeavesNothingOld(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deps")
	for _, name := range []string{"a/old.proto", "a/new.proto"} {
		if err := write(dir, map[string][]byte{name: []byte(name)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "a/old.proto")); !os.IsNotExist(err) {
		t.Errorf("a file of the first run is still there: %v", err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "a/new.proto")); string(got) != "a/new.proto" {
		t.Errorf("new file holds %q, %v", got, err)
	}
}

func TestVersionMustBeNamed(t *testing.T) {
	if err := sameVersion(""); err == nil {
		t.Error("no version given, want an error")
	}
}
