// Program vendordoc writes docs/vendors.md: what every vendor's deliveries become.
// It takes it from the catalogue, from the fixtures and their goldens, which the
// conformance suite holds against the mappings, and from two sections of each
// vendor's README.md. It runs no mapping itself and judges none.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kycbridge/kycbridge/internal/readme"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

// pagePath is where the page is, from the root of the repository.
const pagePath = "docs/vendors.md"

func main() {
	root := flag.String("root", ".", "root of the repository")
	check := flag.Bool("check", false, "write nothing; fail when "+pagePath+" is not what would be written")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "vendordoc:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	page, err := document(catalog.All(), os.DirFS(root))
	if err != nil {
		return err
	}
	path := filepath.Join(root, filepath.FromSlash(pagePath))
	if !check {
		return os.WriteFile(path, page, 0o644)
	}
	there, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%w: run make docs", err)
	}
	return compare(there, page)
}

// compare names the first line that differs.
func compare(there, page []byte) error {
	if bytes.Equal(there, page) {
		return nil
	}
	have, want := bytes.Split(there, []byte("\n")), bytes.Split(page, []byte("\n"))
	n := 0
	for n < len(have) && n < len(want) && bytes.Equal(have[n], want[n]) {
		n++
	}
	return fmt.Errorf("%s is not what providers/ gives, from line %d on: run make docs", pagePath, n+1)
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
