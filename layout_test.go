// Package kycbridge_test checks the shape of the house: which package may
// import which, and how long a file and a function may get. It is not a test
// of behaviour; every package has its own.
package kycbridge_test

import (
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/kycbridge/kycbridge/"

// A room is a package, or with "/..." a package and all below it, together
// with the rooms it may import. The most specific row wins, so every package
// of the module has exactly one row; a package without a row fails the test.
type room struct {
	name  string
	mayIn []string
}

// house is the whole table of arrows. Vendors never import each other because
// no row allows it, and for the same reason nobody but cmd imports command, and
// nobody but command internal/dev. The vendors of this repository are handed in
// from outside: the program is the same with others, so nothing that it consists
// of imports providers/catalog.
var house = []room{
	{"cmd/kycbridge", []string{"command", "providers/catalog"}},
	{"command", []string{"internal/config", "internal/dev", "internal/operate", "internal/registry", "internal/secret", "internal/serve", "internal/simulate", "audit", "normalize/replay", "providers", "schemas/..."}},
	{"internal/dev", []string{"internal/config", "internal/operate", "internal/origin", "internal/registry", "internal/serve", "internal/simulate", "embedded", "providers", "schemas/..."}},
	{"internal/serve", []string{"internal/config", "internal/contract", "internal/origin", "internal/record", "ingest", "normalize", "normalize/dedupe", "normalize/hydrate", "sink", "providers", "providers/auth/jwks", "schemas/..."}},
	{"internal/operate", []string{"internal/config", "internal/contract", "internal/registry", "internal/record", "internal/secret", "audit", "normalize", "normalize/dedupe", "normalize/hydrate", "normalize/replay", "sink", "providers", "schemas/..."}},
	{"internal/operate/operatetest", []string{"embedded/repair", "internal/contract", "normalize", "sink", "schemas/..."}},
	{"internal/simulate", []string{"internal/canary", "internal/config/clientauth", "internal/secret", "providers", "providers/auth", "providers/auth/jwks", "schemas/..."}},
	{"internal/config", []string{"internal/config/clientauth", "internal/config/generated", "internal/config/rules", "internal/contract", "internal/registry", "internal/secret", "normalize/dedupe", "sink", "providers", "providers/auth", "providers/auth/jwks", "schemas/..."}},
	{"internal/registry", []string{"internal/config/clientauth", "internal/contract", "internal/record", "internal/secret", "schemas/..."}},
	{"internal/config/clientauth", []string{"internal/secret"}},
	{"internal/config/generated", []string{"internal/contract/proof", "schemas/..."}},
	{"internal/config/rules", nil},
	{"internal/contract", []string{"internal/contract/generated", "internal/record", "schemas/..."}},
	{"internal/contract/generated", []string{"internal/contract/wire", "schemas/..."}},
	{"internal/contract/proof", nil},
	{"internal/contract/ruletest", nil},
	{"internal/contract/wire", nil},
	{"internal/origin", nil},
	{"internal/record", nil},
	{"internal/canary", nil},
	{"internal/readme", nil},
	{"internal/secret", nil},
	{"internal/freeport", nil},
	{"internal/redistest", []string{"internal/freeport"}},
	{"audit/...", []string{"audit/...", "internal/contract", "internal/record", "schemas/..."}},
	{"embedded/...", []string{"embedded/...", "schemas/..."}},
	{"ingest/...", []string{"ingest/...", "internal/contract", "internal/record", "internal/secret", "providers", "providers/auth", "schemas/..."}},
	{"normalize/...", []string{"normalize/...", "internal/contract", "internal/record", "internal/secret", "providers", "schemas/..."}},
	{"normalize/normalizetest", []string{"embedded/repair", "internal/contract", "internal/record", "internal/redistest", "normalize", "normalize/dedupe", "sink", "schemas/..."}},
	{"sink/...", []string{"sink/...", "internal/record", "schemas/..."}},
	{"providers", []string{"providers/auth", "schemas/..."}},
	{"providers/auth", []string{"internal/secret"}},
	{"providers/auth/authtest", []string{"providers/auth"}},
	{"providers/auth/jwks", []string{"internal/secret", "providers/auth"}},
	{"providers/catalog", []string{"providers", "providers/*"}},
	{"providers/providertest", []string{"internal/canary", "internal/contract/...", "internal/readme", "providers", "providers/auth", "schemas/..."}},
	{"providers/*", []string{"providers", "providers/auth", "schemas/..."}},
	{"schemas/...", []string{"schemas/..."}},
	{"schemas/export", []string{"proto", "schemas/..."}},
	{"proto/...", nil},
	{"tools/...", []string{"tools/...", "schemas/..."}},
	{"tools/asyncapidoc", []string{"internal/contract", "schemas/...", "sink", "tools/docpage"}},
	{"tools/configdoc", []string{"internal/config/rules", "schemas/..."}},
	{"tools/eventdoc", []string{"internal/contract", "internal/operate", "internal/record", "providers", "providers/catalog", "schemas/...", "tools/docpage"}},
	{"tools/newvendor/acme", []string{"providers", "providers/auth", "schemas/..."}},
	{"tools/protoc-gen-go-contract/probe", []string{"internal/contract/proof", "internal/contract/wire", "schemas/..."}},
	{"tools/vendordoc", []string{"internal/contract", "internal/readme", "providers", "providers/auth", "providers/catalog", "schemas/...", "tools/docpage"}},
	{"e2e/...", []string{"e2e/..."}},
	{"bench", []string{"bench/attack", "bench/gauge", "internal/contract", "internal/freeport", "providers", "providers/auth", "providers/catalog", "schemas/..."}},
	{"bench/attack", nil},
	{"bench/gauge", nil},
	{"bench/pair", []string{"embedded"}},
	{"bench/floor/...", []string{"schemas/..."}},
}

// A fence keeps a library inside the rooms that know it.
type fence struct {
	library string
	rooms   []string
}

var fences = []fence{
	{"github.com/twmb/franz-go", []string{"sink/...", "embedded/...", "normalize", "normalize/hydrate", "normalize/normalizetest", "internal/serve", "internal/operate/operatetest", "internal/registry", "bench", "bench/floor/..."}},
	{"github.com/twmb/franz-go/pkg/sr", []string{"internal/registry"}},
	{"github.com/bufbuild/protocompile", []string{"internal/registry"}},
	{"github.com/redis/go-redis", []string{"normalize/dedupe/...", "bench", "bench/floor/..."}},
	{"github.com/alicebob/miniredis", []string{"embedded/...", "normalize/normalizetest"}},
	{"github.com/spf13/cobra", []string{"command"}},
	{"github.com/schollz/progressbar", []string{"command"}},
	{"golang.org/x/term", []string{"command"}},
	{"go.yaml.in/yaml", []string{"internal/config", "tools/asyncapidoc"}},
	{"buf.build/go/protoyaml", []string{"internal/config"}},
	{"github.com/golang-jwt/jwt", []string{"providers/auth"}},
	{"github.com/shirou/gopsutil", []string{"bench/gauge"}},
	{"net/http/pprof", nil},
}

// A reach says what a room must not pull in, however indirectly: consumers
// import schemas, and should not compile a Kafka client for it.
var reaches = []struct {
	room    string
	library string
}{
	{"audit/...", "github.com/twmb/franz-go"},
	{"cmd/...", module + "normalize/normalizetest"},
	{"cmd/...", module + "internal/operate/operatetest"},
	{"cmd/...", module + "internal/contract/ruletest"},
	{"cmd/...", module + "providers/auth/authtest"},
	{"command", module + "providers/catalog"},
	{"schemas/...", "github.com/twmb/franz-go"},
	{"schemas/...", "cel.dev/cel-go"},
	{"schemas/...", "github.com/antlr4-go/antlr"},
	{"schemas/...", "buf.build/go/protovalidate"},
	{"internal/config/generated", "buf.build/go/protovalidate"},
	{"internal/config/generated", "cel.dev/cel-go"},
	{"internal/contract/generated", "buf.build/go/protovalidate"},
	{"internal/contract/generated", "cel.dev/cel-go"},
	{"schemas/...", "github.com/redis/go-redis"},
	{"schemas/...", "github.com/prometheus/client_golang"},
	{"providers/...", "github.com/twmb/franz-go"},
	{"providers/...", "github.com/redis/go-redis"},
	{"providers/...", "github.com/prometheus/client_golang"},
	{"ingest/...", "github.com/redis/go-redis"},
	{"ingest/...", "github.com/twmb/franz-go"},
	{"sink/...", "github.com/redis/go-redis"},
}

func TestArrows(t *testing.T) {
	for _, problem := range checkArrows(listDeps(t)) {
		t.Error(problem)
	}
}

// checkArrows judges a dependency list: every package the module needs, its
// own included, with the packages it imports directly.
func checkArrows(deps map[string][]string) []string {
	var problems []string
	for _, pkg := range slices.Sorted(maps.Keys(deps)) {
		short, ours := strings.CutPrefix(pkg, module)
		if !ours {
			continue
		}
		row, ok := roomOf(short)
		if !ok {
			problems = append(problems, short+": no row in the table of arrows (layout_test.go); add one")
			continue
		}
		for _, imported := range deps[pkg] {
			problems = append(problems, checkEdge(short, row, imported)...)
		}
		problems = append(problems, checkReach(short, pkg, deps)...)
	}
	return problems
}

func checkEdge(short string, row room, imported string) []string {
	if target, ours := strings.CutPrefix(imported, module); ours {
		if !matchesAny(row.mayIn, target) {
			return []string{short + " must not import " + target + "; it may import: " + strings.Join(row.mayIn, ", ")}
		}
		return nil
	}
	for _, f := range fences {
		if within(imported, f.library) && !matchesAny(f.rooms, short) {
			return []string{short + " must not import " + imported + "; only these may: " + strings.Join(f.rooms, ", ")}
		}
	}
	return nil
}

func checkReach(short, pkg string, deps map[string][]string) []string {
	var problems []string
	for _, r := range reaches {
		if !matches(r.room, short) {
			continue
		}
		if path := pathTo(deps, pkg, r.library); path != nil {
			problems = append(problems, short+" must not reach "+r.library+": "+strings.Join(path, " -> "))
		}
	}
	return problems
}

// pathTo returns a shortest chain of imports from pkg to library, nil if none.
func pathTo(deps map[string][]string, pkg, library string) []string {
	cameFrom := map[string]string{pkg: ""}
	queue := []string{pkg}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if within(at, library) {
			var path []string
			for ; at != ""; at = cameFrom[at] {
				path = append([]string{at}, path...)
			}
			return path
		}
		for _, next := range deps[at] {
			if _, seen := cameFrom[next]; !seen {
				cameFrom[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}

func within(pkg, library string) bool {
	return pkg == library || strings.HasPrefix(pkg, library+"/")
}

// roomOf finds the most specific row: an exact name, then a star, then the
// longest "/...".
func roomOf(short string) (room, bool) {
	best, score := room{}, -1
	for _, r := range house {
		s := len(r.name)
		switch {
		case !matches(r.name, short):
			continue
		case r.name == short:
			s += 1000
		case strings.HasSuffix(r.name, "/*"):
			s += 500
		}
		if s > score {
			best, score = r, s
		}
	}
	return best, score >= 0
}

func matchesAny(patterns []string, short string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, short) })
}

// matches knows three forms: "a/b" itself, "a/*" one level below, "a/..." a
// and everything below.
func matches(pattern, short string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return within(short, base)
	}
	ok, err := filepath.Match(pattern, short)
	return ok && err == nil
}

// listDeps asks the go command for every package the module needs.
func listDeps(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-e", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list -deps: %v", err)
	}
	deps := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		deps[words[0]] = words[1:]
	}
	return deps
}

// TestArrowsCanFail feeds checkArrows edges that must not exist: a check that
// never fails proves nothing.
func TestArrowsCanFail(t *testing.T) {
	for _, tc := range []struct {
		from, to string
		want     string
	}{
		{"ingest", module + "normalize", "ingest must not import normalize"},
		{"normalize", module + "ingest", "normalize must not import ingest"},
		{"normalize", module + "sink", "normalize must not import sink"},
		{"ingest", module + "sink", "ingest must not import sink"},
		{"sink", module + "normalize", "sink must not import normalize"},
		{"embedded", module + "normalize", "embedded must not import normalize"},
		{"embedded", module + "sink", "embedded must not import sink"},
		{"audit", module + "sink", "audit must not import sink"},
		{"audit", module + "normalize", "audit must not import normalize"},
		{"providers/complycube", module + "providers/idenfy", "must not import providers/idenfy"},
		{"providers/complycube", module + "providers/catalog", "must not import providers/catalog"},
		{"providers", module + "providers/complycube", "must not import providers/complycube"},
		{"providers/auth", module + "schemas", "providers/auth must not import schemas"},
		{"normalize", module + "providers/complycube", "must not import providers/complycube"},
		{"cmd/kycbridge", module + "providers/complycube", "must not import providers/complycube"},
		{"sink", module + "command", "sink must not import command"},
		{"schemas", module + "providers", "schemas must not import providers"},
		{"ingest", "github.com/twmb/franz-go/pkg/kgo", "ingest must not import github.com/twmb"},
		{"normalize/dedupe", "github.com/twmb/franz-go/pkg/kgo", "normalize/dedupe must not import"},
		{"normalize", "github.com/redis/go-redis/v9", "normalize must not import github.com/redis"},
		{"sink", "github.com/redis/go-redis/v9", "sink must not reach github.com/redis"},
		{"cmd/kycbridge", module + "internal/serve", "cmd/kycbridge must not import internal/serve"},
		{"cmd/kycbridge", "github.com/spf13/cobra", "cmd/kycbridge must not import github.com/spf13"},
		{"command", module + "providers/catalog", "command must not import providers/catalog"},
		{"internal/dev", module + "providers/catalog", "internal/dev must not import providers/catalog"},
		{"internal/serve", module + "providers/catalog", "internal/serve must not import providers/catalog"},
		{"internal/simulate", module + "providers/catalog", "internal/simulate must not import providers/catalog"},
		{"internal/config", module + "providers/catalog", "internal/config must not import providers/catalog"},
		{"command", "net/http/pprof", "command must not import net/http/pprof"},
		{"command", module + "sink", "command must not import sink"},
		{"command", module + "ingest", "command must not import ingest"},
		{"command", module + "embedded", "command must not import embedded"},
		{"command", "github.com/twmb/franz-go/pkg/kgo", "command must not import github.com/twmb"},
		{"internal/serve", module + "internal/dev", "internal/serve must not import internal/dev"},
		{"internal/serve", module + "internal/simulate", "internal/serve must not import internal/simulate"},
		{"internal/serve", module + "embedded", "internal/serve must not import embedded"},
		{"internal/serve", module + "internal/operate", "internal/serve must not import internal/operate"},
		{"internal/simulate", module + "internal/serve", "internal/simulate must not import internal/serve"},
		{"internal/operate", module + "internal/serve", "internal/operate must not import internal/serve"},
		{"internal/operate", module + "internal/dev", "internal/operate must not import internal/dev"},
		{"internal/operate", "github.com/spf13/cobra", "internal/operate must not import github.com/spf13"},
		{"internal/operate", "golang.org/x/term", "internal/operate must not import golang.org/x/term"},
		{"internal/operate", "github.com/twmb/franz-go/pkg/kgo", "internal/operate must not import github.com/twmb"},
		{"internal/dev", module + "command", "internal/dev must not import command"},
		{"internal/dev", "github.com/twmb/franz-go/pkg/kgo", "internal/dev must not import github.com/twmb"},
		{"ingest", module + "internal/serve", "ingest must not import internal/serve"},
		{"audit", module + "internal/operate", "audit must not import internal/operate"},
		{"basement", "fmt", "basement: no row in the table"},
	} {
		t.Run(tc.from+" to "+tc.to, func(t *testing.T) {
			got := checkArrows(map[string][]string{module + tc.from: {tc.to}})
			if !strings.Contains(strings.Join(got, "\n"), tc.want) {
				t.Errorf("problems are %q, want one with %q", got, tc.want)
			}
		})
	}
}

// TestArrowsReach shows that a library two steps away is found as well, and
// that lawful edges raise nothing.
func TestArrowsReach(t *testing.T) {
	deps := map[string][]string{
		module + "schemas":   {"example.com/helper"},
		"example.com/helper": {"github.com/twmb/franz-go/pkg/kgo"},
	}
	got := strings.Join(checkArrows(deps), "\n")
	if !strings.Contains(got, "example.com/helper -> github.com/twmb/franz-go/pkg/kgo") {
		t.Errorf("problems are %q, want the chain of imports", got)
	}
	lawful := map[string][]string{
		module + "cmd/kycbridge":        {module + "command", module + "providers/catalog"},
		module + "command":              {module + "internal/serve", module + "internal/operate", module + "audit", "github.com/spf13/cobra"},
		module + "internal/serve":       {module + "ingest", module + "normalize", module + "sink", "github.com/twmb/franz-go/plugin/kprom"},
		module + "internal/dev":         {module + "internal/serve", module + "internal/simulate", module + "embedded"},
		module + "internal/operate":     {module + "audit", module + "normalize/replay", module + "sink"},
		module + "ingest":               {module + "providers", module + "schemas/kyc/v1"},
		module + "providers/catalog":    {module + "providers/complycube", module + "providers"},
		module + "providers/complycube": {module + "providers", module + "providers/auth"},
		module + "normalize":            {module + "normalize/dedupe", "github.com/twmb/franz-go/pkg/kgo"},
		module + "normalize/dedupe":     {"github.com/redis/go-redis/v9"},
	}
	if got := checkArrows(lawful); len(got) != 0 {
		t.Errorf("lawful edges are refused: %q", got)
	}
}
