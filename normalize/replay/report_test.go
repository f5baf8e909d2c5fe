package replay

import (
	"fmt"
	"slices"
	"testing"
)

// TestReportOrder: outcomes in the order of the report, then vendors; each counted.
func TestReportOrder(t *testing.T) {
	r := newReport(Options{ID: "id", Mode: FillGaps})
	for _, o := range slices.Backward(Outcomes()) {
		r.add(tally{outcome: o, vendor: "idenfy", events: 2})
		r.add(tally{outcome: o})
		r.add(tally{outcome: o})
	}
	var got, want []string
	for _, o := range Outcomes() {
		want = append(want, fmt.Sprint(o, "  2"), fmt.Sprint(o, " idenfy 1"))
	}
	for _, c := range r.Counts {
		got = append(got, fmt.Sprint(c.Outcome, " ", c.Vendor, " ", c.Records))
	}
	if n := int64(len(Outcomes())); !slices.Equal(got, want) || r.Chosen != 3*n || r.Events != 2*n {
		t.Errorf("the report is %+v,\nwant counts %q", r, want)
	}
}
