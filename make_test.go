package kycbridge_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// piped is a command of a recipe whose failure make does not see: of a pipe, sh reports the last part alone.
var piped = regexp.MustCompile(`[^|]\|[^|]`)

// TestRecipesReportFailures: no recipe is a pipe. That of `make faults` was one, and ended well when the faults did not.
func TestRecipesReportFailures(t *testing.T) {
	files, err := filepath.Glob("make/*.mk")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range append(files, "Makefile") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range pipes(string(text)) {
			t.Errorf("%s: the recipe %q is a pipe; write what it filters, or call a script that sets pipefail", file, line)
		}
	}
}

// TestRecipesCheckCanFail: a pipe is seen, and what only looks like one is not.
func TestRecipesCheckCanFail(t *testing.T) {
	const recipes = "a:\n\tgo test -v \\\n\t  | grep -v RUN\nb: ## this | that\n\tone || two\n\tgo test -run '^Test(A|B)$$'\n\tone \"a|b\"\n"
	if got := pipes(recipes); len(got) != 1 || got[0] != "go test -v    | grep -v RUN" {
		t.Errorf("pipes in %q: %q, expected the first recipe alone", recipes, got)
	}
}

var quoted = regexp.MustCompile(`'[^']*'|"[^"]*"`)

// pipes are the recipes of a makefile that are one.
func pipes(makefile string) (found []string) {
	for line := range strings.Lines(strings.ReplaceAll(makefile, "\\\n\t", " ")) {
		recipe, ok := strings.CutPrefix(line, "\t")
		if ok && piped.MatchString(quoted.ReplaceAllString(recipe, "''")) {
			found = append(found, strings.TrimSpace(recipe))
		}
	}
	return found
}

// TestFuzzTellsAFindingFromTheEngine: an engine that ran out of time is asked again, three times at most; a finding fails at once.
func TestFuzzTellsAFindingFromTheEngine(t *testing.T) {
	const (
		ranOut  = "--- FAIL: FuzzOne (2.09s)\n    context deadline exceeded\nFAIL"
		finding = "--- FAIL: FuzzOne (0.1s)\n    one_test.go:7: context deadline exceeded\n    Failing input written to testdata/fuzz/FuzzOne/abc\nFAIL"
	)
	for name, c := range map[string]struct {
		runs []string // what each run of the target fails with; "" passes
		want string   // a line of the output
		ok   bool
	}{
		"a run that passes":        {[]string{""}, "1 targets fuzzed", true},
		"out of time once":         {[]string{ranOut, ""}, "1 targets fuzzed", true},
		"out of time every time":   {[]string{ranOut, ranOut, ranOut, ""}, "an input may hang", false},
		"a finding":                {[]string{finding, ""}, "commit it with the mend", false},
		"a finding out of time":    {[]string{ranOut + "\n" + finding, ""}, "commit it with the mend", false},
		"a test that cannot build": {[]string{"one_test.go:3: undefined: x", ""}, "commit it with the mend", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(file, text string) {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			write("one_test.go", "func FuzzOne(f *testing.F) {}\n")
			for i, text := range c.runs {
				write("run"+strconv.Itoa(i), text)
			}
			write("go", `#!/bin/sh
cd "`+dir+`"
case "$1 $2" in
"list -f") echo "one $(pwd)"; exit ;;
esac
n=$(cat count 2>/dev/null || echo 0)
echo $((n + 1)) > count
cat "run$n"
[ ! -s "run$n" ]
`)
			script := exec.Command("make/fuzz.sh")
			script.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
			output, err := script.CombinedOutput()
			if (err == nil) != c.ok || !strings.Contains(string(output), c.want) {
				t.Errorf("make/fuzz.sh ended with %v, expected success %v and %q:\n%s", err, c.ok, c.want, output)
			}
		})
	}
}

// TestVulncheckSaysWhenItDidNotCheck: without a database that knows anything, nothing was checked. That is said, passes
// in CI and fails for a release; what was found, and a tool that fails for another reason, fail everywhere.
func TestVulncheckSaysWhenItDidNotCheck(t *testing.T) {
	const (
		away    = `govulncheck: fetching vulnerabilities: Get "https://vuln.go.dev/index/modules.json.gz": dial tcp: no such host`
		nothing = "No vulnerabilities found."
		osv     = `{"osv": {"id": "GO-2021-0264"}}`
	)
	for name, c := range map[string]struct {
		code            int // of the scan
		scan, query, db string
		want            string // in the output
		ci, release     bool   // what passes
	}{
		"checked":                     {0, nothing, osv, "", nothing, true, true},
		"checked with another one":    {0, nothing, osv, "file:///copy", nothing, true, true},
		"a vulnerability":             {3, "Vulnerability #1: GO-2021-0264", osv, "", "Vulnerability #1", false, false},
		"one in a word of an error":   {3, "Vulnerability #1: creating client\n", osv, "", "Vulnerability #1", false, false},
		"the database is away":        {1, away, "", "", "NOT CHECKED for known vulnerabilities: the database cannot be had: " + away, true, false},
		"it is none":                  {1, "creating client: unrecognized vulndb format", "", "https://127.0.0.1:1", "NOT CHECKED for known vulnerabilities: the database cannot be had: creating client", true, false},
		"it is empty":                 {0, nothing, `{"config": {}}`, "file:///empty", "NOT CHECKED for known vulnerabilities: the database file:///empty knows no", true, false},
		"a tool that fails by itself": {2, "loading packages: no Go files", osv, "", "loading packages", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tool := filepath.Join(dir, "govulncheck")
			for file, text := range map[string]string{"scan": c.scan, "query": c.query, "govulncheck": `#!/bin/sh
cd "` + dir + `"
if [ "$1" = -db ]; then echo "$2" > db; shift 2; fi
case "$1" in
-mode) cat query; exit ;;
./...) cat scan; exit ` + strconv.Itoa(c.code) + ` ;;
esac
echo "unexpected: $*"; exit 9
`} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for release, passes := range map[string]bool{"": c.ci, "1": c.release} {
				script := exec.Command("make/vulncheck.sh", tool)
				script.Env = append(os.Environ(), "KYCBRIDGE_RELEASE="+release, "GOVULNDB="+c.db)
				output, err := script.CombinedOutput()
				if (err == nil) != passes || !strings.Contains(string(output), c.want) {
					t.Errorf("as a release %q it ended with %v, expected success %v and %q:\n%s", release, err, passes, c.want, output)
				}
			}
			if asked, _ := os.ReadFile(filepath.Join(dir, "db")); strings.TrimSpace(string(asked)) != c.db {
				t.Errorf("the database asked is %q, expected that of GOVULNDB, %q", asked, c.db)
			}
		})
	}
}
