package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// maxEvents is how many events a row shows; the rest of them stands below its table.
const maxEvents = 3

// row is one line of a table: what it is about, what comes of it, and the fixtures that show it.
type row struct {
	about    string
	becomes  []string
	fixtures []string
}

// table joins the cases that read alike, in the order of their first.
func (v vendor) table(b *bytes.Buffer, cases []shown, about func(shown) string, becomes func(shown) []string) {
	var rows []*row
	by := map[string]*row{}
	for _, c := range cases {
		key := about(c) + "\n" + strings.Join(becomes(c), "\n")
		if by[key] == nil {
			by[key] = &row{about: about(c), becomes: becomes(c)}
			rows = append(rows, by[key])
		}
		by[key].fixtures = append(by[key].fixtures, c.Fixture)
	}
	for _, r := range rows {
		fmt.Fprintf(b, "| %s | %s | %s |\n", r.about, r.short(), v.link(r.best())+more(len(r.fixtures)-1))
	}
	v.folded(b, rows)
}

// folded has in full what the rows leave out.
func (v vendor) folded(b *bytes.Buffer, rows []*row) {
	long := slices.DeleteFunc(slices.Clone(rows), func(r *row) bool { return len(r.becomes) <= maxEvents && len(r.fixtures) == 1 })
	if len(long) == 0 {
		return
	}
	b.WriteString("\n<details>\n<summary>What the rows leave out, by their fixtures</summary>\n")
	for _, r := range long {
		fmt.Fprintf(b, "\n**%s**\n", r.best())
		if len(r.becomes) > maxEvents {
			fmt.Fprintf(b, "\n* %s\n", strings.Join(r.becomes, "\n* "))
		}
		if others := r.others(); len(others) > 0 {
			b.WriteString("\nAlso:\n")
			for _, name := range others {
				fmt.Fprintln(b, v.link(name))
			}
		}
	}
	b.WriteString("\n</details>\n")
}

func (r *row) short() string {
	if len(r.becomes) <= maxEvents {
		return strings.Join(r.becomes, "<br>")
	}
	return strings.Join(r.becomes[:maxEvents], "<br>") + "<br>" + strings.TrimSpace(more(len(r.becomes)-maxEvents)) + " more"
}

// best is the fixture to look at first: not one that shows how the same is written otherwise.
func (r *row) best() string {
	for _, name := range r.fixtures {
		if !strings.HasPrefix(name, "form_") && !strings.HasPrefix(name, "same_") && !strings.HasPrefix(name, "other_") {
			return name
		}
	}
	return r.fixtures[0]
}

func (r *row) others() []string {
	return slices.DeleteFunc(slices.Clone(r.fixtures), func(name string) bool { return name == r.best() })
}

func (v vendor) link(fixture string) string {
	return fmt.Sprintf("[%s](../../providers/%s/testdata/%s)", fixture, v.Name, fixture)
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprint(" + ", n)
}

// becomes are the events of a case.
func becomes(c shown) []string {
	if len(c.Becomes) == 0 {
		return []string{"nothing until the API has been asked for the " + cell(c.Needs.Kind)}
	}
	return c.Becomes
}
