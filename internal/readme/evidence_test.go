package readme

import (
	"strings"
	"testing"
)

const head = "Text.\n\n| | What | Where |\n|---|---|---|\n"

func TestRows(t *testing.T) {
	const (
		seen       = "| **seen** | `a`, `b\\|c` | library |\n"
		documented = "| **documented** | nothing | no page |\n"
		inferred   = "| **inferred** | `d` | objects |\n"
	)
	for name, tc := range map[string]struct {
		section string
		rows    int
		problem string
	}{
		"each once":                {head + seen + documented + inferred, 3, ""},
		"one twice":                {head + seen + seen + documented + inferred, 4, ""},
		"in two tables":            {head + seen + documented + "\nand\n\n" + head + inferred, 3, ""},
		"seen is missing":          {head + documented + inferred, 0, "no row **seen**"},
		"documented is missing":    {head + seen + inferred, 0, "no row **documented**"},
		"inferred is missing":      {head + seen + documented, 0, "no row **inferred**"},
		"the marks in prose alone": {"**seen**, **documented**, **inferred**\n", 0, "no row **seen**"},
		"before the ruler":         {"|---|---|---|\n\n" + seen + documented + inferred, 0, "no row **seen**"},
		"another mark":             {head + "| **guessed** | `a` | us |\n", 0, "**guessed**"},
		"no bold mark":             {head + "| seen | `a` | library |\n", 0, `begins with "seen"`},
		"an empty cell":            {head + "| **seen** | `a` | |\n", 0, "three cells"},
		"two cells":                {head + "| **seen** | `a` |\n", 0, "three cells"},
		"a bare pipe":              {head + "| **seen** | `a|b` | library |\n", 0, "three cells"},
	} {
		rows, err := Rows(tc.section)
		switch {
		case tc.problem == "" && (err != nil || len(rows) != tc.rows):
			t.Errorf("%s: %d rows and %v, want %d", name, len(rows), err, tc.rows)
		case tc.problem != "" && (err == nil || !strings.Contains(err.Error(), tc.problem)):
			t.Errorf("%s: error %v, want one with %q", name, err, tc.problem)
		}
	}
}

func TestNames(t *testing.T) {
	rows := []Row{{Seen, "words `a`, `b.c`", ""}, {Inferred, "`d`", ""}}
	for _, tc := range []struct {
		mark, name string
		want       bool
	}{{Seen, "a", true}, {Seen, "b.c", true}, {Seen, "c", false}, {Seen, "d", false}, {Inferred, "d", true}, {Seen, "words", false}} {
		if got := Names(rows, tc.mark, tc.name); got != tc.want {
			t.Errorf("a row %s with `%s`: %v, want %v", tc.mark, tc.name, got, tc.want)
		}
	}
}
