package providertest

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/readme"
)

// readmeFile is beside provider.go.
const readmeFile = "README.md"

// checkReadme: whoever operates a vendor finds in its folder how to set it up, what its
// mapping rests on, and what is uncertain. What the fixtures show as inferred is said to be.
func (s *suite) checkReadme(t testing.TB, folder fs.FS) {
	t.Helper()
	text, err := fs.ReadFile(folder, readmeFile)
	if err != nil {
		t.Errorf("%v; write it, with %s. There is a whole one in tools/newvendor/acme", err, wantedSections())
		return
	}
	sections := map[string]string{}
	for _, wanted := range readme.Sections {
		if sections[wanted.Title], err = readme.Section(string(text), wanted.Title); err != nil {
			t.Errorf("%s: %v", readmeFile, err)
		}
	}
	if sections[readme.Evidence] == "" {
		return
	}
	rows, err := readme.Rows(sections[readme.Evidence])
	if err != nil {
		t.Errorf("%s: %v", readmeFile, err)
		return
	}
	s.checkInferred(t, rows)
}

func wantedSections() string {
	var all []string
	for _, s := range readme.Sections {
		all = append(all, fmt.Sprintf("%q (%s)", "## "+s.Title, s.Says))
	}
	return strings.Join(all, ", ")
}

// checkInferred looks for each inferred field and word of the fixtures in the table.
func (s *suite) checkInferred(t testing.TB, rows []readme.Row) {
	t.Helper()
	missing := map[string]bool{}
	for _, f := range s.fixtures {
		for _, d := range s.read(s.delivery(t, f, f.Body)).Drift {
			name := d.Word // "payload.outcome", or "outcome=attention"
			if _, word, ok := strings.Cut(name, "="); ok {
				name = word
			}
			if d.Kind == "inferred" && !missing[name] && !readme.Names(rows, readme.Inferred, name) {
				missing[name] = true
				t.Errorf("%s: %s counts %s as inferred, and no row **%s** of %s names `%s`", readmeFile, f.Name, d.Word, readme.Inferred, readme.Evidence, name)
			}
		}
	}
}
