package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/kycbridge/kycbridge/internal/contract"

	"github.com/kycbridge/kycbridge/internal/readme"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// sourceMark is a reference to a source of the README.
var sourceMark = regexp.MustCompile(`\[\d+\]`)

const intro = `<!-- Written by ''make docs'' from providers/; change it there. -->

# Vendors

What every documented delivery of every vendor becomes. The tables come from the
fixtures in ''providers/<vendor>/testdata'', which the tests compare with the mappings.
Each line is a delivery you can read and send: ''kycbridge send VENDOR --case NAME''.

* An event is shown as its topic without prefix and version (''check'' is
  ''kyc.check.v1''), then its fields; the comments in ''proto/kyc/v1'' explain them. Codes,
  steps and times are shown by name only.
* ''hydration'' is shown unless it is NOT_NEEDED: FETCHED with the object from the vendor's
  API, OFF without it although the API knows more, NOT_FOUND and GAVE_UP after fetching in
  vain.
* Nothing normalised depends on ''vendor_attributes''. The keys are those of the fixtures;
  no event is guaranteed to have any of them.
* All configured proofs of an endpoint must pass; ''allow_from'' may be added to any.
* A type that is not listed is answered with success and kept as a dead letter
  (UNMAPPED). Anything else that is new is drift: ''kycbridge drift'' lists it.
* A delivery that becomes more than the limits of its vendor is answered with success and
  kept as a dead letter (REJECTED_CONTENT) that names the limit.
`

// document is the whole page.
func document(all []providers.Provider, root fs.FS) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(strings.ReplaceAll(intro, "''", "`"))
	b.WriteString("\nThe vendors:\n\n")
	for _, p := range all {
		fmt.Fprintf(&b, "* [%s](#%s)\n", p.Title, anchor(p.Title))
	}
	for _, p := range all {
		v, err := readVendor(p, root)
		if err != nil {
			return nil, err
		}
		v.write(&b)
	}
	return b.Bytes(), nil
}

// anchor is what a heading is linked by.
func anchor(title string) string {
	return strings.ReplaceAll(strings.ToLower(title), " ", "-")
}

func (v vendor) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## %s\n\nMapping `%s`. Facts and where they come from: [providers/%s](../providers/%s/README.md).\n",
		v.Title, v.MapperVersion, v.Name, v.Name)
	fmt.Fprintf(b, "\n### Proof of the sender\n\n%s", proofs(v.Provider))
	fmt.Fprintf(b, "\n### The answer\n\n%s", answers(v.Ack))
	fmt.Fprintf(b, "\n### Limits of a delivery\n\n%s", limits(v.Limits))
	fmt.Fprintf(b, "\n### Events\n\n")
	v.events(b)
	fmt.Fprintf(b, "\n### Dead letters\n\n")
	v.dead(b)
	v.words(b)
	fmt.Fprintf(b, "\n### The vendor's API\n\n%s", hydration(v.Hydration))
	fmt.Fprintf(b, "\n### %s\n\n%s\n", readme.Setup, v.setup)
	fmt.Fprintf(b, "\n### %s\n\n%s\n", readme.Open, v.open)
	if sourceMark.MatchString(v.setup + v.open) {
		fmt.Fprintf(b, "\nNumbers in brackets are the sources of the [README](../providers/%s/README.md).\n", v.Name)
	}
}

// row is one line of a table, and the fixtures that show it.
type row struct {
	text     string
	fixtures []string
}

// events is a line for each event type and meaning.
func (v vendor) events(b *bytes.Buffer) {
	b.WriteString("| Event type | Becomes | Shown by |\n| --- | --- | --- |\n")
	cases := slices.DeleteFunc(slices.Clone(v.cases), func(c shown) bool { return c.Dead != nil })
	slices.SortStableFunc(cases, func(x, y shown) int {
		return cmp.Or(cmp.Compare(cmp.Or(x.ReadAs, x.Type), cmp.Or(y.ReadAs, y.Type)), cmp.Compare(x.Type, y.Type))
	})
	v.table(b, cases, func(c shown) string { return typeCell(c) + " | " + becomes(c) })
}

// dead is a line for each way in which a delivery becomes no event.
func (v vendor) dead(b *bytes.Buffer) {
	b.WriteString("| Reason | Event type | Field | Why | Shown by |\n| --- | --- | --- | --- | --- |\n")
	cases := slices.DeleteFunc(slices.Clone(v.cases), func(c shown) bool { return c.Dead == nil })
	slices.SortStableFunc(cases, func(x, y shown) int {
		return cmp.Or(cmp.Compare(x.Dead.Reason, y.Dead.Reason), cmp.Compare(x.Type, y.Type), cmp.Compare(x.Dead.Detail, y.Dead.Detail))
	})
	v.table(b, cases, func(c shown) string {
		reason := strings.TrimPrefix(c.Dead.Reason, "DEAD_LETTER_REASON_")
		return fmt.Sprintf("%s | %s | %s | %s", reason, typeCell(c), code(c.Dead.Field), cell(c.Dead.Detail))
	})
}

// table joins the cases that read alike, in the order of their first.
func (v vendor) table(b *bytes.Buffer, cases []shown, text func(shown) string) {
	var rows []*row
	by := map[string]*row{}
	for _, c := range cases {
		key := text(c)
		if by[key] == nil {
			by[key] = &row{text: key}
			rows = append(rows, by[key])
		}
		by[key].fixtures = append(by[key].fixtures, fmt.Sprintf("[%s](../providers/%s/testdata/%s)", c.Fixture, v.Name, c.Fixture))
	}
	for _, r := range rows {
		fmt.Fprintf(b, "| %s | %s |\n", r.text, strings.Join(r.fixtures, " "))
	}
}

func typeCell(c shown) string {
	switch {
	case c.ReadAs == "":
		return code(short(c.Type))
	case c.Type == "":
		return "none; read as " + code(c.ReadAs)
	}
	return code(short(c.Type)) + ", read as " + code(c.ReadAs)
}

func becomes(c shown) string {
	if len(c.Becomes) == 0 {
		return "nothing until the API has been asked for the " + cell(c.Needs.Kind)
	}
	text := strings.Join(c.Becomes, "<br>")
	if h := c.Hydration; h != kycv1.Hydration_HYDRATION_NOT_NEEDED {
		text += "<br>" + code("hydration="+contract.EnumWord(h.Descriptor(), h.Number()))
	}
	return text
}

// words lists the vendor's own names that a consumer meets.
func (v vendor) words(b *bytes.Buffer) {
	found := attributes(v.cases)
	if len(found) > 0 {
		b.WriteString("\n### Attributes\n\n| Event | Keys of `vendor_attributes` |\n| --- | --- |\n")
	}
	for _, message := range slices.Sorted(maps.Keys(found)) {
		fmt.Fprintf(b, "| %s | %s |\n", message, codes(found[message]))
	}
	if kinds := driftKinds(v.cases); len(kinds) > 0 {
		fmt.Fprintf(b, "\nKinds of drift: %s.\n", codes(kinds))
	}
}

func codes(words []string) string {
	var all []string
	for _, w := range words {
		all = append(all, code(w))
	}
	return strings.Join(all, ", ")
}
