package readme

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// What a fact about a vendor rests on.
const (
	Seen       = "seen"       // in its own library or sample, or in real traffic
	Documented = "documented" // on a page of its own
	Inferred   = "inferred"   // taken over from a neighbouring object or page
)

var marks = []string{Seen, Documented, Inferred}

// Row is one line of the table of evidence.
type Row struct {
	Mark  string // one of the three
	What  string // fields and words, in backquotes
	Where string // the source; for nothing, what was looked at
}

// exampleRow is the form of a row, as an error says it.
const exampleRow = "| **seen** | session outcomes `clear`, `decline` | library of the vendor, version, file |"

// Rows reads the table of a section Evidence. Each of the three marks must be there:
// nothing is said, not left out.
func Rows(section string) ([]Row, error) {
	var rows []Row
	for _, cells := range tableRows(section) {
		if len(cells) != 3 || slices.Contains(cells, "") {
			return nil, fmt.Errorf("the table of %s has a row of %q; want three cells that say something, such as %s", Evidence, cells, exampleRow)
		}
		mark := strings.Trim(cells[0], "*")
		if cells[0] != "**"+mark+"**" || !slices.Contains(marks, mark) {
			return nil, fmt.Errorf("a row of %s begins with %q; want **%s**", Evidence, cells[0], strings.Join(marks, "**, **"))
		}
		rows = append(rows, Row{mark, cells[1], cells[2]})
	}
	for _, mark := range marks {
		if !slices.ContainsFunc(rows, func(r Row) bool { return r.Mark == mark }) {
			return nil, fmt.Errorf("the table of %s has no row **%s**; write one such as %s, and where there is nothing: | **%s** | nothing | what was looked at |", Evidence, mark, exampleRow, mark)
		}
	}
	return rows, nil
}

var (
	ruler  = regexp.MustCompile(`^[|:\s-]+$`) // between the head of a table and its rows
	column = regexp.MustCompile(`(?:\\\||[^|])*`)
)

// tableRows are the cells of each row that follows a ruler.
func tableRows(section string) (rows [][]string) {
	inside := false
	for line := range strings.Lines(section) {
		switch line = strings.TrimSpace(line); {
		case !strings.HasPrefix(line, "|"):
			inside = false
		case ruler.MatchString(line):
			inside = true
		case inside:
			var cells []string
			for _, cell := range column.FindAllString(strings.Trim(line, "|"), -1) {
				cells = append(cells, strings.TrimSpace(cell))
			}
			rows = append(rows, cells)
		}
	}
	return rows
}

// Names reports whether a row of that mark has the name in backquotes.
func Names(rows []Row, mark, name string) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return r.Mark == mark && strings.Contains(r.What, "`"+name+"`") })
}
