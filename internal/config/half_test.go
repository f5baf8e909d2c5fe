package config

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestHalfAFileOpensNoDoor: a file that is cut off behind any line, as one is that is being written, is refused, or has
// no endpoint that anybody may send to unless the whole file says so. A process reads its file once, at start.
func TestHalfAFileOpensNoDoor(t *testing.T) {
	lookup := environment(t)
	paths, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	refused, taken := 0, 0
	for _, path := range paths {
		text := read(t, path)
		whole, err := Parse(path, []byte(text), lookup, everything())
		if err != nil {
			t.Fatal(err)
		}
		open := map[string]bool{}
		for _, e := range whole.Endpoints {
			open[e.GetName()] = e.GetAllowUnauthenticated()
		}
		for end := range text {
			if text[end] != '\n' {
				continue
			}
			half, err := Parse(path, []byte(text[:end]), lookup, everything())
			if err != nil {
				refused++
				continue
			}
			taken++
			for _, e := range half.Endpoints {
				if !e.Proofs.Prove() && !open[e.GetName()] {
					t.Errorf("%s, cut off behind %q: endpoint %q lets anybody in", path, lastLine(text[:end]), e.GetName())
				}
			}
		}
	}
	if refused == 0 || taken == 0 {
		t.Errorf("%d halves are refused and %d taken; want some of each", refused, taken)
	}
}

func lastLine(text string) string { return text[strings.LastIndexByte(text, '\n')+1:] }
