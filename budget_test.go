package kycbridge_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The budgets. Generated files are not counted.
const (
	longestFile     = 500 // lines
	longestFunction = 80  // lines, signature and braces included
)

func TestBudgets(t *testing.T) {
	fset := token.NewFileSet()
	documented := map[string]bool{}
	for _, path := range handWritten(t) {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(fset, path, source, parser.ParseComments)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		for _, problem := range overBudget(fset, path, source, file) {
			t.Error(problem)
		}
		if !strings.HasSuffix(path, "_test.go") {
			dir := filepath.Dir(path)
			documented[dir] = documented[dir] || file.Doc != nil
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: no file has a package comment; say what the package is and what it is not", dir)
		}
	}
}

func overBudget(fset *token.FileSet, path string, source []byte, file *ast.File) []string {
	var problems []string
	if n := bytes.Count(source, []byte("\n")); n > longestFile {
		problems = append(problems, fmt.Sprintf("%s: %d lines; a file may have %d", path, n, longestFile))
	}
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if fn.Name.Name == "init" && fn.Recv == nil {
			problems = append(problems, fmt.Sprintf("%s: func init; call it from where it is needed", fset.Position(fn.Pos())))
		}
		n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1
		if n > longestFunction {
			problems = append(problems, fmt.Sprintf("%s: %s has %d lines; a function may have %d", fset.Position(fn.Pos()), fn.Name.Name, n, longestFunction))
		}
	}
	return problems
}

// handWritten lists the Go files of the module that a person edits.
func handWritten(t *testing.T) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || isGenerated(path):
			return nil
		}
		paths = append(paths, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func isGenerated(path string) bool {
	source, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	head, _, _ := bytes.Cut(source, []byte("\npackage "))
	lines := strings.Split(string(head), "\n")
	return slices.ContainsFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "// Code generated ") && strings.HasSuffix(l, " DO NOT EDIT.")
	})
}

func TestBudgetsCanFail(t *testing.T) {
	long := "package x\n\nfunc f() {\n" + strings.Repeat("\t_ = 0\n", longestFile) + "}\n\nfunc init() {}\n"
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "x.go", long, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(overBudget(fset, "x.go", []byte(long), file), "\n")
	for _, want := range []string{"a file may have", "a function may have", "func init"} {
		if !strings.Contains(got, want) {
			t.Errorf("problems are %q, want %q among them", got, want)
		}
	}
}
