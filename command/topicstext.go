package command

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/kycbridge/kycbridge/internal/operate"
)

// row is one line of the table: a comparison that came out alike in several places.
type row struct {
	operate.Finding
	places []string
	fixes  []string
}

// printFindings prints the table, and below it each finding that is not ok, with the command to fix it.
func printFindings(out io.Writer, findings []operate.Finding) {
	rows := merge(findings)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LEVEL\tSETTING\tFOUND\tEXPECTED\tWHERE")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", r.Level, shown(r.Setting), shown(r.Found), shown(r.Expected), shown(r.where()))
	}
	_ = table.Flush()
	for _, r := range rows {
		if r.Level == operate.FindingOK {
			continue
		}
		fmt.Fprintf(out, "\n%s: %s is %s, expected %s: %s\n", r.Level, cmp.Or(r.Setting, r.places[0]), r.Found, r.Expected, r.Why)
		for _, fix := range r.fixes {
			fmt.Fprintln(out, "  "+fix)
		}
	}
}

// where names the places, or the first of many.
func (r row) where() string {
	if n := len(r.places); n > 4 {
		return fmt.Sprintf("%s and %d more", r.places[0], n-1)
	}
	return strings.Join(r.places, ", ")
}

// merge puts what is alike into one row, the worst first and otherwise in the order of the findings.
func merge(findings []operate.Finding) []row {
	var rows []row
	for _, f := range findings {
		at := slices.IndexFunc(rows, func(r row) bool {
			return r.Level == f.Level && r.Setting == f.Setting && r.Found == f.Found && r.Expected == f.Expected && r.Why == f.Why && f.Setting != ""
		})
		if at < 0 {
			at = len(rows)
			rows = append(rows, row{Finding: f})
		}
		rows[at].places = append(rows[at].places, f.Where)
		if !slices.Contains(rows[at].fixes, f.Fix) {
			rows[at].fixes = append(rows[at].fixes, f.Fix)
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(severity(a.Level), severity(b.Level)) })
	return rows
}

func severity(l operate.Level) int {
	return slices.Index([]operate.Level{operate.FindingUnsafe, operate.FindingAdvice, operate.FindingOK}, l)
}
