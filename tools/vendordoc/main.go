// Program vendordoc writes docs/vendors.md and a page for each vendor in docs/vendors: what its
// deliveries become.
// It takes it from the catalogue, from the fixtures and their goldens, which the
// conformance suite holds against the mappings, and from two sections of each
// vendor's README.md. It runs no mapping itself and judges none.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/kycbridge/kycbridge/internal/readme"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

func main() {
	root := flag.String("root", ".", "root of the repository")
	check := flag.Bool("check", false, "write nothing; fail when "+indexPath+" and the pages are not what would be written")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "vendordoc:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	all, err := documents(catalog.All(), os.DirFS(root))
	if err != nil {
		return err
	}
	if check {
		return checkAll(root, all)
	}
	return writeAll(root, all)
}

// writeAll writes the pages, and removes those of vendors that are no more.
func writeAll(root string, all []document) error {
	if err := os.MkdirAll(filepath.Join(root, filepath.FromSlash(pagesFolder)), 0o755); err != nil {
		return err
	}
	for _, d := range all {
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(d.path)), d.text, 0o644); err != nil {
			return err
		}
	}
	stale, err := leftOver(root, all)
	for _, path := range stale {
		err = errors.Join(err, os.Remove(filepath.Join(root, filepath.FromSlash(path))))
	}
	return err
}

// checkAll names every page that is missing, differs, or is of no vendor.
func checkAll(root string, all []document) error {
	var problems []error
	for _, d := range all {
		there, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(d.path)))
		if err != nil {
			problems = append(problems, fmt.Errorf("%w: run make docs", err))
			continue
		}
		problems = append(problems, compare(there, d))
	}
	stale, err := leftOver(root, all)
	for _, path := range stale {
		problems = append(problems, fmt.Errorf("%s is of no vendor in the catalogue: run make docs", path))
	}
	return errors.Join(append(problems, err)...)
}

// leftOver are the files in the folder of the pages that would not be written now.
func leftOver(root string, all []document) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(root, filepath.FromSlash(pagesFolder)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var stale []string
	for _, entry := range entries {
		name := pagesFolder + "/" + entry.Name()
		if !slices.ContainsFunc(all, func(d document) bool { return d.path == name }) {
			stale = append(stale, name)
		}
	}
	return stale, err
}

// compare names the first line that differs.
func compare(there []byte, d document) error {
	if bytes.Equal(there, d.text) {
		return nil
	}
	have, want := bytes.Split(there, []byte("\n")), bytes.Split(d.text, []byte("\n"))
	n := 0
	for n < len(have) && n < len(want) && bytes.Equal(have[n], want[n]) {
		n++
	}
	return fmt.Errorf("%s is not what providers/ gives, from line %d on: run make docs", d.path, n+1)
}

// vendor is all that the page says about one.
type vendor struct {
	providers.Provider
	cases []shown
	setup string // of its README.md
	open  string
}

func readVendor(p providers.Provider, root fs.FS) (vendor, error) {
	v := vendor{Provider: p}
	fixtures, err := p.Fixtures()
	if err != nil {
		return v, err
	}
	for _, f := range fixtures {
		c, err := readCase(f)
		if err != nil {
			return v, fmt.Errorf("providers/%s/testdata/%s/want.json: %w", p.Name, f.Name, err)
		}
		v.cases = append(v.cases, c)
	}
	path := "providers/" + p.Name + "/README.md"
	text, err := fs.ReadFile(root, path)
	if err != nil {
		return v, err
	}
	if v.setup, err = readme.Section(string(text), readme.Setup); err != nil {
		return v, fmt.Errorf("%s: %w", path, err)
	}
	if v.open, err = readme.Section(string(text), readme.Open); err != nil {
		return v, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}
