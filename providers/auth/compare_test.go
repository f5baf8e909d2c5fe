package auth_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// comparisons are all places of this package where a value that came with a request, or that
// was made of a secret, could be compared: every == and != of which neither side is a constant or a length, and
// every call that compares. What a secret or a signature is compared with takes constant time.
var comparisons = map[string][]string{
	"HMAC.Verify": {"hmac.Equal(m.sum(k, r.Body), given)"},
	"compare":     {"subtle.ConstantTimeCompare(k.sum[:], sum[:])"},

	// What is public: how a request names its scheme and its key, and what is configured.
	"credentials":      {"strings.EqualFold(given, word)"},
	"HMAC.signature":   {"strings.CutPrefix(value, m.Prefix)"},
	"StaticKeys.Key":   {"k.ID == id"},
	"JWT.algorithms":   {"slices.Contains(known, a)"},
	"Key.fits":         {"k.Algorithm != algorithm", "p.Curve == elliptic.P256()"},
	"HMAC.sum":         {"signs.algorithm != m.Hash"},
	"Contains":         {"p.Contains(a)"},
	"ParseNetwork":     {"p != p.Masked()"},
	"checkHeaderValue": {"i == len(value) - 1"},
}

// comparing are functions that compare what they are given. Those that take a function are looked at there.
var comparing = []string{
	"Equal", "EqualFold", "Compare", "DeepEqual", "Contains", "HasPrefix", "HasSuffix", "Index", "Count",
	"ConstantTimeCompare", "ConstantTimeEq", "CutPrefix", "CutSuffix",
}

// TestSecretsAreComparedInConstantTime holds the list above against the code: a comparison that is not in it may
// be one whose time tells how much of a guess was right.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, string(source))
	}
	found := comparisonsIn(t, sources...)
	for name, all := range found {
		for _, c := range all {
			if !slices.Contains(comparisons[name], c) {
				t.Errorf("%s compares %s; compare secrets with subtle or hmac, and write down here what is none", name, c)
			}
		}
	}
	for name, all := range comparisons {
		for _, c := range all {
			if !slices.Contains(found[name], c) {
				t.Errorf("%s no longer compares %s", name, c)
			}
		}
	}
}

// TestComparisonsCanBeSeen: each way to compare is seen, and what cannot tell anything is not.
func TestComparisonsCanBeSeen(t *testing.T) {
	const source = `package p
const limit = 3
func (k key) plain(given, other []byte, s string) bool {
	_ = len(given) == limit && s == "" && s != nil && k.n == http.StatusOK
	_ = string(given) == string(k.value)
	_ = bytes.Equal(given, other)
	switch s {
	case k.text:
	}
	return slices.Compare(given, other) == 0
}`
	want := []string{"string(given) == string(k.value)", "bytes.Equal(given, other)", "case k.text", "slices.Compare(given, other)"}
	if got := comparisonsIn(t, source)["key.plain"]; !slices.Equal(got, want) {
		t.Errorf("seen %q, want %q", got, want)
	}
}

// comparisonsIn are the comparisons of a package's files, by the function that they are in.
func comparisonsIn(t *testing.T, sources ...string) map[string][]string {
	t.Helper()
	var files []*ast.File
	var constants []string
	for _, source := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), "", source, 0)
		if err != nil {
			t.Fatal(err)
		}
		files, constants = append(files, file), append(constants, constantsIn(file)...)
	}
	found := map[string][]string{}
	for _, file := range files {
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
				name := nameOf(f)
				ast.Inspect(f.Body, func(n ast.Node) bool {
					found[name] = append(found[name], compared(n, constants)...)
					return true
				})
			}
		}
	}
	return found
}

func nameOf(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	return strings.TrimPrefix(types.ExprString(f.Recv.List[0].Type), "*") + "." + f.Name.Name
}

// compared are the comparisons that a node is, as text.
func compared(n ast.Node, constants []string) (found []string) {
	open := func(e ast.Expr) bool { return !settled(e, constants) }
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if (n.Op == token.EQL || n.Op == token.NEQ) && open(n.X) && open(n.Y) {
			found = append(found, types.ExprString(n))
		}
	case *ast.SwitchStmt:
		for _, c := range n.Body.List {
			for _, e := range c.(*ast.CaseClause).List {
				if n.Tag != nil && open(e) {
					found = append(found, "case "+types.ExprString(e))
				}
			}
		}
	case *ast.CallExpr:
		s, ok := n.Fun.(*ast.SelectorExpr)
		if ok && slices.Contains(comparing, s.Sel.Name) && !slices.ContainsFunc(n.Args, func(e ast.Expr) bool { return !open(e) }) {
			found = append(found, types.ExprString(n))
		}
	}
	return found
}

// settled reports whether an expression is a constant of those names, a length or nil: comparing with it tells
// nothing that is not known.
func settled(e ast.Expr, constants []string) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return e.Name == "nil" || slices.Contains(constants, e.Name)
	case *ast.SelectorExpr: // a name of another package
		x, ok := e.X.(*ast.Ident)
		return ok && x.Obj == nil
	case *ast.CallExpr:
		f, ok := e.Fun.(*ast.Ident)
		return ok && f.Name == "len" || len(e.Args) == 1 && settled(e.Args[0], constants) // a conversion
	}
	return false
}

// constantsIn are the names of a file's constants.
func constantsIn(file *ast.File) (names []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
			for _, s := range d.Specs {
				for _, name := range s.(*ast.ValueSpec).Names {
					names = append(names, name.Name)
				}
			}
		}
		return true
	})
	return names
}
