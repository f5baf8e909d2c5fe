package command

import (
	"errors"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/normalize/replay"
)

// TestWriteReplay: what an operator sees, with every outcome there is.
func TestWriteReplay(t *testing.T) {
	var out strings.Builder
	for _, dry := range []bool{true, false} {
		r := &replay.Report{ID: "20260504T100000Z-c0ffee", Mode: replay.FillGaps, DryRun: dry, Chosen: 27, Events: 91, Later: 2, Gone: 1, Transactions: 3}
		for _, o := range replay.Outcomes() {
			for _, vendor := range []string{"", "complycube", "idenfy"} {
				if vendor != "complycube" || o == replay.Emitted {
					r.Counts = append(r.Counts, replay.Count{Outcome: o, Vendor: vendor, Records: 1})
				}
			}
		}
		if err := errors.Join(writeReplay(&out, r), writeLine(&out, r)); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "testdata/replay.txt", out.String())
}
