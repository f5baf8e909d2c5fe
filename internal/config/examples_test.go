package config

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/kycbridge/kycbridge/internal/config/generated"
	"github.com/kycbridge/kycbridge/internal/contract/ruletest"
)

// A process with a valid configuration compiles no rules, whichever of its parts it needs.
func TestExamplesAreProven(t *testing.T) {
	for name, text := range examples(t) {
		for _, needs := range []Needs{everything(), {Ingest: true}, {Normalize: true}, {Hydrate: true}, {}} {
			read, m := decode([]byte(text))
			if len(read.problems) > 0 {
				t.Errorf("%s cannot be read: %v", name, read.problems)
				break
			}
			leaveOut(m, needs)
			f := &file{root: &yaml.Node{}}
			f.expand(m, func(variable string) (string, bool) { return secretValue, !strings.Contains(text, "${"+variable+":-") })
			if k := orNew(&m.Kafka); len(k.Brokers) == 0 {
				k.Brokers = []string{"127.0.0.1:9092"}
			}
			if len(f.problems) > 0 {
				t.Errorf("%s, with the needs %+v: %v", name, needs, f.problems)
			}
			if !generated.Valid(m) {
				t.Errorf("%s is not proven valid, with the needs %+v: it breaks %v, %v", name, needs, ruletest.Broken(t, m), f.problems)
			}
		}
	}
}

var (
	block = regexp.MustCompile("(?m)^( *)```yaml\n((?s:.*?))^ *```$")
	// placeholders stand for what only the reader knows.
	placeholder = regexp.MustCompile(`<[^>]*>|…`)
)

// examples are the configurations of this package, those that are shipped, and those of the documents that do
// not begin in the middle of a section.
func examples(t *testing.T) map[string]string {
	all := map[string]string{}
	for _, pattern := range []string{"testdata/good/*.yaml", "../../deploy/*.yaml", "../../docs/*.md", "../../providers/*/README.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: no files, %v", pattern, err)
		}
		for _, path := range paths {
			text := read(t, path)
			if !strings.HasSuffix(path, ".md") {
				all[path] = text
				continue
			}
			for _, b := range block.FindAllStringSubmatch(text, -1) {
				body := strings.ReplaceAll("\n"+b[2], "\n"+b[1], "\n")
				if !strings.HasPrefix(body, "\n ") {
					all[path+body] = placeholder.ReplaceAllString(body, "placeholder")
				}
			}
		}
	}
	return all
}
