package readme

import (
	"strings"
	"testing"
)

func TestSection(t *testing.T) {
	for name, tc := range map[string]struct{ readme, want, problem string }{
		"up to the same level":  {"## A\na\n### B\nb\n### C\nc\n", "b", ""},
		"up to the level above": {"### B\n\nb\n\n# C\nc\n", "b", ""},
		"up to the end":         {"# B\nb\n[x](https://a.b)\n", "b\n[x](https://a.b)", ""},
		"code is no heading":    {"# B\n```\n# b\n```\n# C\n", "```\n# b\n```", ""},
		"missing":               {"# A\nB\n#B\n", "", "no heading"},
		"twice":                 {"# B\nb\n# C\n# B\nc\n", "", "two headings"},
		"deeper heading":        {"# B\nb\n## C\nc\n", "", "keep it flat"},
		"empty":                 {"# B\n\n# C\nc\n", "", "empty"},
		"relative link":         {"# B\n[x](../x.md)\n", "", "../x.md"},
		"anchor":                {"# B\n[x](#c)\n", "", "#c"},
	} {
		got, err := Section(tc.readme, "B")
		switch {
		case tc.problem == "" && (err != nil || got != tc.want):
			t.Errorf("%s: %q and %v, want %q", name, got, err, tc.want)
		case tc.problem != "" && (err == nil || !strings.Contains(err.Error(), tc.problem)):
			t.Errorf("%s: error %v, want one about %q", name, err, tc.problem)
		}
	}
}
