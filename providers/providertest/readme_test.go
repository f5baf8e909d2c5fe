package providertest

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kycbridge/kycbridge/providers"
)

const (
	setupText    = "# Toy\n\n## In the vendor's dashboard\n\nClick.\n\n"
	evidenceHead = "## Evidence\n\n| | What | Where |\n|---|---|---|\n"
	seenRow      = "| **seen** | `fine` | its library, 1.2 |\n| **documented** | nothing | no page |\n"
	inferredRow  = "| **inferred** | `verdict`, `poor` | its API |\n"
	openText     = "\n## Uncertain\n\nAll of it.\n"
)

func TestReadme(t *testing.T) {
	for name, tc := range map[string]struct {
		readme string
		want   []string // complaints; none where it is as it must be
	}{
		"whole":                    {setupText + evidenceHead + seenRow + inferredRow + openText, nil},
		"no file":                  {"", []string{"README.md", "write it", `"## In the vendor's dashboard"`, `"## Evidence"`, `"## Uncertain"`}},
		"nothing about setting up": {evidenceHead + seenRow + inferredRow + openText, []string{`no heading "In the vendor's dashboard"`, "what to click"}},
		"no evidence":              {setupText + openText, []string{`no heading "Evidence"`, "what is inferred"}},
		"nothing uncertain":        {setupText + evidenceHead + seenRow + inferredRow, []string{`no heading "Uncertain"`, "what the sources leave open"}},
		"evidence without a mark":  {setupText + evidenceHead + seenRow + openText, []string{"no row **inferred**", "| **inferred** | nothing |"}},
		"an inferred field that it hides": {setupText + evidenceHead + seenRow + "| **inferred** | `poor` | its API |\n" + openText,
			[]string{"counts verdict as inferred", "names `verdict`"}},
		"an inferred word that it hides": {setupText + evidenceHead + seenRow + "| **inferred** | `verdict` | its API |\n" + openText,
			[]string{"counts outcome=poor as inferred", "names `poor`"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := toy()
			p.Maps = map[string]providers.MapFunc{"done": func(d *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
				m, err := mapToy(d, n)
				m.Note("inferred", "verdict")
				m.Note("inferred", "outcome=poor")
				return m, err
			}}
			folder := fstest.MapFS{}
			if tc.readme != "" {
				folder[readmeFile] = &fstest.MapFile{Data: []byte(tc.readme)}
			}
			r := &recorder{TB: t}
			newSuite(t, p).checkReadme(r, folder)
			got := strings.Join(r.complaints, "\n")
			if tc.want == nil && got != "" {
				t.Errorf("the suite complains about a sound README:\n%s", got)
			}
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("the suite says %q, want %q", got, want)
				}
			}
		})
	}
}
