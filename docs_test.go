package kycbridge_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documents are the pages whose claims are held against the tree.
var documents = []string{"README.md", "DESIGN.md", "CONTRIBUTING.md", "SECURITY.md", "examples/own-vendor/README.md", "docs/evolution.md", "docs/https.md", "docs/performance.md", "docs/runbook.md", "docs/servers.md", "providers/README.md", "examples/README.md", "examples/go/README.md", "examples/java/README.md", "examples/python/README.md", "examples/typescript/README.md", "docs/sinks.md", "docs/vendors.md", "docs/consuming.md", "docs/events.md"}

var (
	linkTarget = regexp.MustCompile(`\]\(([^)#:\s]+)\)`)
	codeSpan   = regexp.MustCompile("`([^`\n]+)`")
	goPath     = regexp.MustCompile(`^[\w./-]+\.(go|proto|md|yaml|yml|binpb)$`)
	testName   = regexp.MustCompile(`^(Test|Fuzz|Benchmark)[A-Z]\w+$`)
	testRun    = regexp.MustCompile(`go test [^\n]*-run '?([^'\s]+)`)
	testFunc   = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	metricName = regexp.MustCompile(`^kycbridge_[a-z]+_([a-z_]+)`)
)

// TestDocuments holds what the documents name against what is there: links,
// files, tests and metrics.
func TestDocuments(t *testing.T) {
	source := goSource(t)
	vendors, err := filepath.Glob("docs/vendors/*.md")
	if err != nil || len(vendors) == 0 {
		t.Fatal("the vendors' pages are not in docs/vendors:", err)
	}
	for _, document := range append(vendors, documents...) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		fromHere := func(path string) bool { return exists(filepath.Join(filepath.Dir(document), path)) }
		for _, problem := range missingNames(string(text), source, fromHere, exists) {
			t.Errorf("%s names %s", document, problem)
		}
	}
}

// TestDocumentsCheckCanFail shows that the check sees each kind of stale name.
func TestDocumentsCheckCanFail(t *testing.T) {
	text := "[a](gone.md) `gone/file.go` `TestGone` `kycbridge_ingest_gone_total`\ngo test ./gone -run 'Gone|Lost'\ngo test ./here -run Here"
	nothing := func(string) bool { return false }
	if problems := missingNames(text, "func TestHere(", nothing, nothing); len(problems) != 5 {
		t.Errorf("found %q, want five problems", problems)
	}
}

// missingNames looks for links from where the document lies, and for files from the root.
func missingNames(text, source string, linked, exists func(string) bool) []string {
	var problems []string
	for _, match := range linkTarget.FindAllStringSubmatch(text, -1) {
		if !linked(match[1]) {
			problems = append(problems, "the link "+match[1]+", which leads nowhere")
		}
	}
	for _, match := range testRun.FindAllStringSubmatch(text, -1) {
		if !anyTest(match[1], source) {
			problems = append(problems, "the tests "+match[1]+", none of which is there")
		}
	}
	for _, match := range codeSpan.FindAllStringSubmatch(text, -1) {
		name := match[1]
		switch {
		case goPath.MatchString(name) && strings.Contains(name, "/") && !exists(name):
			problems = append(problems, "the file "+name+", which is not there")
		case testName.MatchString(name) && !strings.Contains(source, "func "+name+"("):
			problems = append(problems, "the test "+name+", which is not there")
		case metricName.MatchString(name) && !strings.Contains(source, `"`+metricName.FindStringSubmatch(name)[1]+`"`) &&
			!strings.Contains(source, `"`+metricName.FindString(name)+`"`):
			problems = append(problems, "the metric "+name+", which nothing registers")
		}
	}
	return problems
}

// anyTest reports whether -run finds a test, or is to find none, as beside -bench.
func anyTest(pattern, source string) bool {
	if pattern == "^$" {
		return true
	}
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return false
	}
	for _, match := range testFunc.FindAllStringSubmatch(source, -1) {
		if wanted.MatchString(match[1]) {
			return true
		}
	}
	return false
}

func exists(path string) bool {
	_, err := os.Stat(filepath.FromSlash(path))
	return err == nil
}

// goSource is all Go code of the module in one string.
func goSource(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != "." {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
