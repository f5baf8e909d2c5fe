package kycbridge_test

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryFuzzTargetRuns: `make fuzz` runs each function of the tree that fuzzes, and each begins with seeds.
func TestEveryFuzzTargetRuns(t *testing.T) {
	output, err := exec.Command("make/fuzz.sh", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	var here []string
	for _, path := range handWritten(t) {
		if !strings.HasSuffix(path, "_test.go") || inner(path) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fuzzTargets(file) {
			here = append(here, filepath.Dir(path)+" "+f.Name.Name)
			if !seeded(f, path) {
				t.Errorf("%s: %s has no seeds; give it what is right and what is nearly", path, f.Name.Name)
			}
			if plain, err := build.Default.MatchFile(filepath.Dir(path), filepath.Base(path)); err != nil || !plain {
				t.Errorf("%s: %s is only there under a build tag, where `make fuzz` does not look", path, f.Name.Name)
			}
		}
	}
	run := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(output), "github.com/kycbridge/kycbridge/", "")), "\n")
	slices.Sort(here)
	slices.Sort(run)
	if !slices.Equal(here, run) {
		t.Errorf("the tree fuzzes %q\n`make fuzz` runs %q", here, run)
	}
}

// TestEveryVendorIsFuzzed: the suite's fuzz test is in the folder of each vendor.
func TestEveryVendorIsFuzzed(t *testing.T) {
	vendors, err := filepath.Glob("providers/*/provider_test.go")
	if err != nil || len(vendors) == 0 {
		t.Fatal(vendors, err)
	}
	fixtures, err := filepath.Glob("providers/*/testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range fixtures {
		path := filepath.Join(filepath.Dir(dir), "provider_test.go")
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(fuzzTargets(file), func(f *ast.FuncDecl) bool { return f.Name.Name == "FuzzProvider" }) {
			t.Errorf("%s has no FuzzProvider", path)
		}
	}
}

// inner reports whether a file is of a module within this one, where `make fuzz` does not go.
func inner(path string) bool {
	for dir := filepath.Dir(path); dir != "."; dir = filepath.Dir(dir) {
		if exists(filepath.Join(dir, "go.mod")) {
			return true
		}
	}
	return false
}

// fuzzTargets are the functions of a file that `go test -fuzz` would take.
func fuzzTargets(file *ast.File) (targets []*ast.FuncDecl) {
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Fuzz") && len(f.Type.Params.List) == 1 &&
			types.ExprString(f.Type.Params.List[0].Type) == "*testing.F" {
			targets = append(targets, f)
		}
	}
	return targets
}

// seeded reports whether a target adds seeds, hands itself to what does, or has some in files.
func seeded(f *ast.FuncDecl, path string) (yes bool) {
	corpus, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "testdata", "fuzz", f.Name.Name, "*"))
	self := f.Type.Params.List[0].Names[0].Name
	ast.Inspect(f.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		s, ok := call.Fun.(*ast.SelectorExpr)
		yes = yes || ok && types.ExprString(s) == self+".Add" || ok && s.Sel.Name == "Fuzz" && slices.ContainsFunc(call.Args, func(e ast.Expr) bool { return types.ExprString(e) == self })
		return true
	})
	return yes || len(corpus) > 0
}
