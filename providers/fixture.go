package providers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Fixture is one folder of a vendor's testdata: a synthetic delivery and what it
// must become.
type Fixture struct {
	Name    string
	Body    []byte      // exact bytes of the file body.json or body.bin
	Headers http.Header // of the file headers.json; empty without it
	Want    []byte      // want.json; nil where it is not written yet
	// Fetched is what the vendor's API answered, of the file fetched.json; nil
	// without it: the webhook alone.
	Fetched *Fetched
}

// FixtureFetchedAt is when the API answers in every fixture.
var FixtureFetchedAt = time.Date(2026, 6, 1, 0, 0, 5, 0, time.UTC)

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

// GoodFixtures are those that become events; it is an error if there are none.
func (p *Provider) GoodFixtures() ([]Fixture, error) {
	all, err := p.Fixtures()
	if err != nil {
		return nil, err
	}
	good := slices.DeleteFunc(all, Fixture.Bad)
	if len(good) == 0 {
		return nil, fmt.Errorf("%s has no fixture to send", p.Name)
	}
	return good, nil
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
	if f.Fetched, err = readFetched(testdata, path.Join(dir, "fetched.json")); err != nil {
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

// readFetched reads the file fetched.json; nil where there is none.
func readFetched(fsys fs.FS, name string) (*Fetched, error) {
	text, err := optional(fsys, name)
	if err != nil || text == nil {
		return nil, err
	}
	f, err := parseFetched(text)
	if err != nil {
		return nil, fmt.Errorf("fetched.json: %w", err)
	}
	return f, nil
}

// parseFetched reads {"result": "FETCHED", "kind": "check", "object": {...}}.
func parseFetched(text []byte) (*Fetched, error) {
	var file struct {
		Result, Kind string
		Object       json.RawMessage
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("want an object with result, kind and object: %w", err)
	}
	result := kycv1.FetchResult(kycv1.FetchResult_value["FETCH_RESULT_"+file.Result])
	if result <= kycv1.FetchResult_FETCH_RESULT_PENDING {
		return nil, fmt.Errorf("result is %q; want FETCHED, NOT_FOUND, GONE or GAVE_UP", file.Result)
	}
	if (result == kycv1.FetchResult_FETCH_RESULT_FETCHED) != (file.Object != nil) {
		return nil, errors.New("want an object exactly where result is FETCHED")
	}
	return &Fetched{Result: result, Kind: file.Kind, Body: file.Object, At: FixtureFetchedAt}, nil
}

func optional(fsys fs.FS, name string) ([]byte, error) {
	b, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}
