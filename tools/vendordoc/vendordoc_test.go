package main

import (
	"crypto"
	"flag"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kycbridge/kycbridge/internal/readme"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/tools/docpage"
)

var update = flag.Bool("update", false, "write the golden file")

// TestPagesAreCurrent holds the pages in the tree against what the catalogue, the
// goldens and the READMEs give now.
func TestPagesAreCurrent(t *testing.T) {
	if err := run("../..", true); err != nil {
		t.Error(err)
	}
}

// toy is a vendor with one of everything the page can say.
func toy() (providers.Provider, fstest.MapFS) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	fixture := func(files fstest.MapFS, name, want string) {
		files["testdata/"+name+"/body.json"] = file("{}")
		files["testdata/"+name+"/want.json"] = file(want)
	}
	testdata := fstest.MapFS{}
	fixture(testdata, "done", `{"vendor_event_type": "done", "events": [
		{"topic": "session.v1", "event": {"metadata": {"hydration": "HYDRATION_NOT_NEEDED", "vendor_attributes": {"plan": "a", "branch": "b"}},
			"transition": "SESSION_TRANSITION_COMPLETED", "decision": "DECISION_APPROVED", "reason_codes": ["A", "B"], "vendor_outcome": "o|k"}},
		{"topic": "aml.v1", "event": {"metadata": {"hydration": "HYDRATION_NOT_NEEDED"}, "source": "AML_SOURCE_SCREENING", "hit_count": 2, "findings": [
			{"category": "AML_CATEGORY_PEP", "status": "AML_STATUS_POTENTIAL_HIT"}, {"category": "AML_CATEGORY_SANCTIONS", "status": "AML_STATUS_CLEAR"}]}}]}`)
	fixture(testdata, "done_again", string(testdata["testdata/done/want.json"].Data))
	fixture(testdata, "old_spelling", `{"vendor_event_type": "DONE", "map_as": "done", "drift": [{"kind": "outcome", "word": "hm"}, {"kind": "field"}], "events": [
		{"topic": "check.v1", "event": {"metadata": {"hydration": "HYDRATION_OFF"}, "monitored": true, "vendor_result": "hm"}}]}`)
	fixture(testdata, "waiting", `{"map_as": "notice", "incomplete": true, "needs": {"kind": "case", "id": "1"}}`)
	fixture(testdata, "bad_type_unknown", `{"vendor_event_type": "new", "problem": {"reason": "DEAD_LETTER_REASON_UNMAPPED", "field": "type", "detail": "no mapping"}}`)
	return providers.Provider{
			Name: "toy", Title: "Toy Box", MapperVersion: "toy/3",
			Scheme: auth.HMAC{Header: "Toy-Signature", Hash: crypto.SHA512, Encoding: auth.Base64, Prefix: "v1="},
			Proofs: []auth.Scheme{auth.Basic{}, auth.Bearer{}, auth.Header{}, auth.Header{Name: "X-Toy"}, auth.PathToken{}, auth.JWT{}, auth.JWT{Header: "X-Token", Claim: "data"}},
			Ack: providers.Ack{Success: 202, Limit: 15 * time.Second, RetryFor: time.Hour,
				FinalStatuses: []providers.StatusRange{{From: 400, To: 499}, {From: 501, To: 501}}},
			Hydration: &providers.Hydration{
				BaseURL: "https://api.toy.invalid", SandboxURL: "https://sandbox.toy.invalid",
				Auth: providers.APIAuth{Scheme: providers.APIBasic},
				Objects: map[string]providers.APIObject{
					"case": {Path: "/cases/{id}", OrElse: "file"}, "file": {Path: "/files/{id}"},
				},
			},
			Testdata: testdata,
		}, fstest.MapFS{
			"providers/toy/README.md": file("# Toy\n\n## In the vendor's dashboard\n\nClick [1].\n\n```yaml\n# not a heading\n```\n\n## Events\n\nx\n\n### Uncertain\n\n| Question | What we do |\n| --- | --- |\n| Why | No |\n"),
		}
}

func TestDocuments(t *testing.T) {
	provider, root := toy()
	all, err := documents([]providers.Provider{provider}, root)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		golden := filepath.Join("testdata", path.Base(d.Path))
		if *update {
			if err := os.WriteFile(golden, d.Text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if err := docpage.Compare(want, d); err != nil {
			t.Errorf("%v\ngot:\n%s", err, d.Text)
		}
	}
}

// whole is the text of all documents, one after the other.
func whole(all []docpage.Page) string {
	var b strings.Builder
	for _, d := range all {
		b.Write(d.Text)
	}
	return b.String()
}

// TestDocumentRefuses: a vendor that the page could only describe in part is an
// error that names the file.
func TestDocumentRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(testdata, root fstest.MapFS)
		want  []string
	}{
		"no golden": {
			func(testdata, _ fstest.MapFS) { delete(testdata, "testdata/done/want.json") },
			[]string{"providers/toy/testdata/done/want.json", "go test -update"},
		},
		"golden of another form": {
			func(testdata, _ fstest.MapFS) { testdata["testdata/done/want.json"].Data = []byte("[]") },
			[]string{"providers/toy/testdata/done/want.json"},
		},
		"unknown topic": {
			func(testdata, _ fstest.MapFS) {
				testdata["testdata/done/want.json"].Data = []byte(`{"events": [{"topic": "raw.v1", "event": {}}]}`)
			},
			[]string{"done/want.json", `"raw.v1"`},
		},
		"no README": {
			func(_, root fstest.MapFS) { delete(root, "providers/toy/README.md") },
			[]string{"providers/toy/README.md"},
		},
		"no section": {
			func(_, root fstest.MapFS) { root["providers/toy/README.md"].Data = []byte("## Uncertain\n\nx\n") },
			[]string{"providers/toy/README.md", `"In the vendor's dashboard"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			provider, root := toy()
			tc.spoil(provider.Testdata.(fstest.MapFS), root)
			_, err := documents([]providers.Provider{provider}, root)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error is %q, want it to name %s", err, want)
				}
			}
		})
	}
}

// maxRow is what a row of a table may take, in bytes of Markdown: three events and the links of one fixture.
const maxRow = 600

// TestRowsAreShort: a person reads the tables. What the vendor's README says has rows of its own making.
func TestRowsAreShort(t *testing.T) {
	all, err := documents(catalog.All(), os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		text, _, _ := strings.Cut(string(d.Text), "\n## "+readme.Setup)
		for n, line := range strings.Split(text, "\n") {
			if len(line) > maxRow {
				t.Errorf("%s:%d has %d bytes, more than %d", d.Path, n+1, len(line), maxRow)
			}
		}
	}
}

// TestNothingIsLeftOut: each fixture is named on its vendor's page, with all its events.
func TestNothingIsLeftOut(t *testing.T) {
	for _, p := range catalog.All() {
		v, err := readVendor(p, os.DirFS("../.."))
		if err != nil {
			t.Fatal(err)
		}
		page := string(v.page())
		for _, c := range v.cases {
			if !strings.Contains(page, v.link(c.Fixture)) {
				t.Errorf("the page of %s does not name the fixture %s", p.Name, c.Fixture)
			}
			for _, event := range c.Becomes {
				if !strings.Contains(page, event) {
					t.Errorf("the page of %s does not have the event %s of %s", p.Name, event, c.Fixture)
				}
			}
		}
	}
}

// TestCheckAndWrite: a page that is missing, differs or is of no vendor is named, and writing mends all three.
func TestCheckAndWrite(t *testing.T) {
	provider, files := toy()
	all, err := documents([]providers.Provider{provider}, files)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := writeAll(root, all); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(root, "docs", "vendors", "toy.md")
	for want, spoil := range map[string]func() error{
		"docs/vendors/gone.md is of no vendor":                          func() error { return os.WriteFile(filepath.Join(filepath.Dir(page), "gone.md"), nil, 0o644) },
		"docs/vendors/toy.md is not what providers/ gives, from line 1": func() error { return os.WriteFile(page, nil, 0o644) },
		"no such file": func() error { return os.Remove(page) },
	} {
		if err := checkAll(root, all); err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if err := checkAll(root, all); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "make docs") {
			t.Errorf("error %v, want %q and what to do", err, want)
		}
		if err := writeAll(root, all); err != nil {
			t.Fatal(err)
		}
	}
}
