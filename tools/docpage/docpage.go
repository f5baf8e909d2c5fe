// Package docpage writes pages that are made from the tree, and tells where those in it differ from what
// would be written. It knows nothing of what is on them.
package docpage

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// Page is one file.
type Page struct {
	Path string // from the root of the repository, with slashes
	Text []byte
	From string // what it is made from, for messages
}

// Main is the program of a generator: it makes the pages of the repository at -root, and writes them or, with -check,
// fails where they differ. It gives the exit code.
func Main(name string, run func(root string, check bool) error) int {
	root := flag.String("root", ".", "root of the repository")
	check := flag.Bool("check", false, "write nothing; fail when the pages are not what would be written")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		return 1
	}
	return 0
}

// Put writes the pages, or with check names those that differ: all there is to do for a generator whose pages are
// always the same ones.
func Put(root string, check bool, pages ...Page) error {
	if check {
		return Check(root, pages...)
	}
	return Write(root, pages...)
}

// Write writes the pages, and makes their folders.
func Write(root string, pages ...Page) error {
	for _, p := range pages {
		path := filepath.Join(root, filepath.FromSlash(p.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, p.Text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Check names every page that is missing or differs.
func Check(root string, pages ...Page) error {
	var problems []error
	for _, p := range pages {
		there, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p.Path)))
		if err != nil {
			problems = append(problems, fmt.Errorf("%w: run make docs", err))
			continue
		}
		problems = append(problems, Compare(there, p))
	}
	return errors.Join(problems...)
}

// Compare names the first line that differs.
func Compare(there []byte, p Page) error {
	if bytes.Equal(there, p.Text) {
		return nil
	}
	have, want := bytes.Split(there, []byte("\n")), bytes.Split(p.Text, []byte("\n"))
	n := 0
	for n < len(have) && n < len(want) && bytes.Equal(have[n], want[n]) {
		n++
	}
	return fmt.Errorf("%s is not what %s gives, from line %d on: run make docs", p.Path, p.From, n+1)
}
