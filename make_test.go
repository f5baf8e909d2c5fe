package kycbridge_test

import (
	"os"
	"path/filepath"
	"regexp"
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
