package replay

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestReportGolden: what an operator sees, with every outcome there is.
func TestReportGolden(t *testing.T) {
	var out bytes.Buffer
	for _, dry := range []bool{true, false} {
		r := newReport(Options{ID: "20260504T100000Z-c0ffee", Mode: FillGaps, DryRun: dry})
		for i := range outcomes { // the report brings order in
			row := outcomes[len(outcomes)-1-i]
			r.add(tally{outcome: row.is, vendor: "idenfy", events: int64(len(outcomes) - i)})
			r.add(tally{outcome: row.is})
			if row.is == Emitted {
				r.add(tally{outcome: row.is, vendor: "complycube"})
			}
		}
		r.Later, r.Gone, r.Transactions = 2, 1, 3
		if err := r.WriteText(&out); err != nil {
			t.Fatal(err)
		}
		if err := r.WriteJSON(&out); err != nil {
			t.Fatal(err)
		}
	}
	const path = "testdata/report.txt"
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("the report is\n%s\nwant (%s, -update rewrites it)\n%s", out.String(), path, want)
	}
}
