package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kycbridge/kycbridge/internal/contract"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// events is a line for each event type and meaning.
func (v vendor) events(b *bytes.Buffer) {
	b.WriteString("| Event type | Becomes | Shown by |\n| --- | --- | --- |\n")
	cases := slices.DeleteFunc(slices.Clone(v.cases), func(c shown) bool { return c.Dead != nil })
	slices.SortStableFunc(cases, func(x, y shown) int {
		return cmp.Or(cmp.Compare(cmp.Or(x.ReadAs, x.Type), cmp.Or(y.ReadAs, y.Type)), cmp.Compare(x.Type, y.Type))
	})
	v.table(b, cases, typeAndAPI, becomes)
}

// dead is a line for each way in which a delivery becomes no event.
func (v vendor) dead(b *bytes.Buffer) {
	b.WriteString("| Reason | Event type | Field | Why | Shown by |\n| --- | --- | --- | --- | --- |\n")
	cases := slices.DeleteFunc(slices.Clone(v.cases), func(c shown) bool { return c.Dead == nil })
	slices.SortStableFunc(cases, func(x, y shown) int {
		return cmp.Or(cmp.Compare(x.Dead.Reason, y.Dead.Reason), cmp.Compare(x.Type, y.Type), cmp.Compare(x.Dead.Detail, y.Dead.Detail))
	})
	v.table(b, cases, func(c shown) string {
		return strings.TrimPrefix(c.Dead.Reason, "DEAD_LETTER_REASON_") + " | " + typeCell(c)
	}, func(c shown) []string { return []string{code(c.Dead.Field) + " | " + cell(c.Dead.Detail)} })
}

// typeAndAPI is the type of a case, and how the question of asking the vendor's API ended.
func typeAndAPI(c shown) string {
	if h := c.Hydration; len(c.Becomes) > 0 && h != kycv1.Hydration_HYDRATION_NOT_NEEDED {
		return typeCell(c) + "<br>" + code("hydration="+contract.EnumWord(h.Descriptor(), h.Number()))
	}
	return typeCell(c)
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

// words lists the vendor's own names that a consumer meets.
func (v vendor) words(b *bytes.Buffer) {
	found := attributes(v.cases)
	if len(found) > 0 {
		b.WriteString("\n## Attributes\n\n| Event | Keys of `vendor_attributes` |\n| --- | --- |\n")
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
