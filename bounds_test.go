package kycbridge_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	boundRow   = regexp.MustCompile(`(?m)^\| (.+) \| (.+) \| (.+) \|$`)
	boundName  = regexp.MustCompile("^`([a-z][a-z0-9/]*)\\.([A-Za-z]\\w*)`")
	boundValue = regexp.MustCompile(`^(\d+)(?: (KiB|MiB|ms|s|min|h))?(?:,|$)`)
	boundUnits = map[string]int64{
		"": 1, "KiB": 1 << 10, "MiB": 1 << 20,
		"ms": int64(time.Millisecond), "s": int64(time.Second), "min": int64(time.Minute), "h": int64(time.Hour),
	}
)

// TestBounds holds the table of bounds against the constants that it names.
func TestBounds(t *testing.T) {
	text, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## Bounds\n")
	if !ok {
		t.Fatal("DESIGN.md has no section Bounds")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	values := constants{}
	held := 0
	for _, row := range boundRow.FindAllStringSubmatch(section, -1) {
		named := boundName.FindStringSubmatch(row[3])
		if named == nil || named[2] == "go" {
			continue // a file, which TestDocuments looks for, or a heading
		}
		held++
		if problem := values.disagree(row[2], named[1], named[2]); problem != "" {
			t.Errorf("the bound of %q: %s", row[1], problem)
		}
	}
	if held < 50 {
		t.Errorf("%d bounds name a constant; has the form of the table changed?", held)
	}
}

// TestBoundsCanDisagree shows that the check sees each way in which a row may be wrong.
func TestBoundsCanDisagree(t *testing.T) {
	values := constants{}
	for shown, name := range map[string]string{
		"2 MiB": "DefaultMaxBody", "1 MiB": "DefaultGone", "1 s": "DefaultMaxBody", "a lot": "DefaultMaxBody", "16 s": "DefaultReadTimeout",
	} {
		if values.disagree(shown, "ingest", name) == "" {
			t.Errorf("%s is taken for %s", shown, name)
		}
	}
	for shown, name := range map[string]string{"1 MiB, `max_body_bytes`": "DefaultMaxBody", "15 s": "DefaultReadTimeout", "5000": "DefaultMaxRequests"} {
		if problem := values.disagree(shown, "ingest", name); problem != "" {
			t.Error(problem)
		}
	}
	if values.disagree("1", "nowhere", "max") == "" {
		t.Error("a package that is not there has constants")
	}
}

// constants are those of packages by folder, as far as they were asked for.
type constants map[string]*types.Scope

// disagree says why a bound as it is shown is not the value of a constant; "" where it is.
func (c constants) disagree(shown, dir, name string) string {
	parts := boundValue.FindStringSubmatch(shown)
	if parts == nil {
		return fmt.Sprintf("%q is no number with a unit of the table", shown)
	}
	number, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return err.Error()
	}
	got, err := c.value(dir, name)
	switch want := number * boundUnits[parts[2]]; {
	case err != nil:
		return err.Error()
	case got != want:
		return fmt.Sprintf("%s.%s is %d, the table says %d (%s)", dir, name, got, want, parts[0])
	}
	return ""
}

// value is that of a constant of a package.
func (c constants) value(dir, name string) (int64, error) {
	if c[dir] == nil {
		scope, err := scopeOf(dir)
		if err != nil {
			return 0, err
		}
		c[dir] = scope
	}
	object, ok := c[dir].Lookup(name).(*types.Const)
	if !ok {
		return 0, fmt.Errorf("%s has no constant %s", dir, name)
	}
	value, exact := constant.Int64Val(constant.ToInt(object.Val()))
	if !exact {
		return 0, fmt.Errorf("%s.%s is %s, no whole number", dir, name, object.Val())
	}
	return value, nil
}

// scopeOf are the names of a package. What it takes from others stays unknown, but for the units of time.
func scopeOf(dir string) (*types.Scope, error) {
	set := token.NewFileSet()
	paths, err := filepath.Glob(filepath.Join(filepath.FromSlash(dir), "*.go"))
	if err != nil || len(paths) == 0 {
		return nil, errors.Join(err, fmt.Errorf("%s: %w", dir, fs.ErrNotExist))
	}
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	checker := types.Config{Importer: timeAlone{}, Error: func(error) {}, IgnoreFuncBodies: true}
	pkg, _ := checker.Check(dir, set, files, nil) // full of errors about what it does not know
	return pkg.Scope(), nil
}

// timeAlone knows one package, and of it what constants are made of.
type timeAlone struct{}

func (timeAlone) Import(path string) (*types.Package, error) {
	if path != "time" {
		return nil, errors.New("not looked at")
	}
	pkg := types.NewPackage("time", "time")
	duration := types.NewNamed(types.NewTypeName(token.NoPos, pkg, "Duration", nil), types.Typ[types.Int64], nil)
	pkg.Scope().Insert(duration.Obj())
	for name, value := range map[string]time.Duration{
		"Nanosecond": time.Nanosecond, "Microsecond": time.Microsecond, "Millisecond": time.Millisecond,
		"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour,
	} {
		pkg.Scope().Insert(types.NewConst(token.NoPos, pkg, name, duration, constant.MakeInt64(int64(value))))
	}
	pkg.MarkComplete()
	return pkg, nil
}
