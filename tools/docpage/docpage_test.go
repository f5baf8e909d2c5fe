package docpage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCompareNamesTheLine(t *testing.T) {
	page := func(text string) Page { return Page{"docs/x.md", []byte(text), "x/"} }
	if err := Compare([]byte("a\nb\n"), page("a\nb\n")); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"a\nx\n", "a\nb"} {
		if err := Compare([]byte("a\nb\nc\n"), page(text)); err == nil || !strings.Contains(err.Error(), "make docs") {
			t.Errorf("%q passes: %v", text, err)
		}
	}
	if err := Compare([]byte("a\nb\n"), page("a\nx\n")); err == nil || !strings.Contains(err.Error(), "docs/x.md is not what x/ gives, from line 2") {
		t.Errorf("error is %v, want page, source and line", err)
	}
}

// TestCheckNamesEach: what was written passes; a page that is missing or differs is named beside the others.
func TestCheckNamesEach(t *testing.T) {
	root := t.TempDir()
	pages := []Page{{"docs/a.md", []byte("a"), "x/"}, {"docs/b/c.md", []byte("c"), "x/"}}
	if err := Write(root, pages...); err != nil {
		t.Fatal(err)
	}
	if err := Check(root, pages...); err != nil {
		t.Errorf("what was written is refused: %v", err)
	}
	if err := os.Remove(filepath.Join(root, "docs", "a.md")); err != nil {
		t.Fatal(err)
	}
	pages[1].Text = []byte("d")
	if err := Check(root, pages...); err == nil || !strings.Contains(err.Error(), "a.md: no such file") || !strings.Contains(err.Error(), "docs/b/c.md is not") {
		t.Errorf("error is %v, want both pages", err)
	}
}
