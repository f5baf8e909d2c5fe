// Program vendordoc writes docs/vendors.md and a page for each vendor in docs/vendors: what its
// deliveries become.
// It takes it from the catalogue, from the fixtures and their goldens, which the
// conformance suite holds against the mappings, and from two sections of each
// vendor's README.md. It runs no mapping itself and judges none.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/kycbridge/kycbridge/internal/readme"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/tools/docpage"
)

func main() { os.Exit(docpage.Main("vendordoc", run)) }

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
func writeAll(root string, all []docpage.Page) error {
	if err := docpage.Write(root, all...); err != nil {
		return err
	}
	stale, err := leftOver(root, all)
	for _, path := range stale {
		err = errors.Join(err, os.Remove(filepath.Join(root, filepath.FromSlash(path))))
	}
	return err
}

// checkAll names every page that is missing, differs, or is of no vendor.
func checkAll(root string, all []docpage.Page) error {
	problems := []error{docpage.Check(root, all...)}
	stale, err := leftOver(root, all)
	for _, path := range stale {
		problems = append(problems, fmt.Errorf("%s is of no vendor in the catalogue: run make docs", path))
	}
	return errors.Join(append(problems, err)...)
}

// leftOver are the files in the folder of the pages that would not be written now.
func leftOver(root string, all []docpage.Page) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(root, filepath.FromSlash(pagesFolder)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var stale []string
	for _, entry := range entries {
		name := pagesFolder + "/" + entry.Name()
		if !slices.ContainsFunc(all, func(d docpage.Page) bool { return d.Path == name }) {
			stale = append(stale, name)
		}
	}
	return stale, err
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
