package providers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// Fixture is one folder of a vendor's testdata: a synthetic delivery and what it
// must become.
type Fixture struct {
	Name    string
	Body    []byte      // exact bytes of the file body.json or body.bin
	Headers http.Header // of the file headers.json; empty without it
	Want    []byte      // want.json; nil where it is not written yet
}

// badPrefix begins the name of a fixture that must become a dead letter.
const badPrefix = "bad_"

// Bad reports whether the fixture must become a dead letter.
func (f Fixture) Bad() bool { return strings.HasPrefix(f.Name, badPrefix) }

// Fixtures reads all fixtures, in the order of their names.
func (p *Provider) Fixtures() ([]Fixture, error) {
	if p.Testdata == nil {
		return nil, fmt.Errorf("%s: no testdata is embedded; set Testdata with //go:embed testdata", p.Name)
	}
	dirs, err := fs.ReadDir(p.Testdata, "testdata")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	var all []Fixture
	for _, dir := range dirs {
		if !dir.IsDir() {
			continue
		}
		f, err := readFixture(p.Testdata, dir.Name())
		if err != nil {
			return nil, fmt.Errorf("%s: fixture %s: %w", p.Name, dir.Name(), err)
		}
		all = append(all, f)
	}
	return all, nil
}

func readFixture(testdata fs.FS, name string) (Fixture, error) {
	f := Fixture{Name: name, Headers: http.Header{}}
	dir := path.Join("testdata", name)
	body, err := fs.ReadFile(testdata, path.Join(dir, "body.json"))
	if errors.Is(err, fs.ErrNotExist) {
		body, err = fs.ReadFile(testdata, path.Join(dir, "body.bin"))
	}
	if err != nil {
		return f, fmt.Errorf("want a file body.json or body.bin: %w", err)
	}
	f.Body = body
	if f.Want, err = optional(testdata, path.Join(dir, "want.json")); err != nil {
		return f, err
	}
	headers, err := optional(testdata, path.Join(dir, "headers.json"))
	if err != nil || headers == nil {
		return f, err
	}
	var lines map[string]string
	if err := json.Unmarshal(headers, &lines); err != nil {
		return f, fmt.Errorf("headers.json: want one object of name to value: %w", err)
	}
	for k, v := range lines {
		f.Headers.Set(k, v)
	}
	return f, nil
}

func optional(fsys fs.FS, name string) ([]byte, error) {
	b, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}
