package main

import (
	"flag"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the example's files into the README of the vendors")

// shown is a file of the example in the README: its name in a comment, then its text.
var shown = regexp.MustCompile("(?s)<!-- acme/(\\S+) -->\n```(\\w*)\n(.*?)```\n")

// TestReadme: the README of the vendors shows the example as it is compiled and run here.
func TestReadme(t *testing.T) {
	file := filepath.Join(root, "providers", "README.md")
	text := read(t, file)
	inside, err := fs.Sub(example, exampleFolder)
	if err != nil {
		t.Fatal(err)
	}
	current, problems := withFiles(text, inside)
	for _, problem := range problems {
		t.Errorf("%s %s", file, problem)
	}
	switch {
	case current == text:
	case *update:
		save(t, file, current)
	default:
		t.Errorf("%s does not show the files of tools/newvendor/acme as they are; go test ./tools/newvendor -update writes them", file)
	}
}

// withFiles is a README with the files that it shows as they are in the folder. All Go files
// there must be shown, and a fixture with what it becomes.
func withFiles(readme string, folder fs.FS) (current string, problems []string) {
	missing := []string{"/body.json", "/" + goldenFile}
	files, err := fs.Glob(folder, "*.go")
	if err != nil {
		return readme, []string{err.Error()}
	}
	missing = append(missing, files...)
	current = shown.ReplaceAllStringFunc(readme, func(block string) string {
		parts := shown.FindStringSubmatch(block)
		text, err := fs.ReadFile(folder, parts[1])
		if err != nil {
			problems = append(problems, "shows a file that is not there: "+err.Error())
			return block
		}
		missing = slices.DeleteFunc(missing, func(name string) bool {
			return parts[1] == name || path.Base(parts[1]) == strings.TrimPrefix(name, "/")
		})
		return "<!-- acme/" + parts[1] + " -->\n```" + parts[2] + "\n" + string(text) + "```\n"
	})
	for _, name := range missing {
		problems = append(problems, "does not show "+name+" of the example; want <!-- acme/"+strings.TrimPrefix(name, "/")+" --> and a fenced block below it")
	}
	return current, problems
}

// TestReadmeCanFail: another text, a file that is gone and one that is not shown are seen.
func TestReadmeCanFail(t *testing.T) {
	folder := os.DirFS(exampleFolder)
	for name, tc := range map[string]struct {
		old, new string
		want     string // of a problem; "": the text is mended
	}{
		"another line":     {"package acme\n", "package acme // once\n", ""},
		"one line less":    {"package acme\n", "", ""},
		"a file that went": {"<!-- acme/payload.go -->", "<!-- acme/parse.go -->", "parse.go"},
		"no mapper":        {"<!-- acme/map.go -->", "", "does not show map.go"},
		"no fixture":       {"<!-- acme/testdata/finished/body.json -->", "", "does not show /body.json"},
	} {
		t.Run(name, func(t *testing.T) {
			text := read(t, filepath.Join(root, "providers", "README.md"))
			if !strings.Contains(text, tc.old) {
				t.Fatalf("the README has no %q", tc.old)
			}
			current, problems := withFiles(strings.Replace(text, tc.old, tc.new, 1), folder)
			if tc.want == "" && current != text {
				t.Error("the README with another text is not mended")
			}
			if !strings.Contains(strings.Join(problems, "\n"), tc.want) {
				t.Errorf("problems %q, want one with %q", problems, tc.want)
			}
		})
	}
}
