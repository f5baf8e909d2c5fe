package command

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/audit"
)

// TestWriteDrift prints what package audit gives in its own test.
func TestWriteDrift(t *testing.T) {
	r := &audit.DriftReport{Records: 7, Drifted: 6, Unread: 1}
	text, err := os.ReadFile("../audit/testdata/lines.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var e audit.DriftEntry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		r.Entries = append(r.Entries, e)
	}
	var out strings.Builder
	if err := writeDrift(&out, r); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/drift.txt", out.String()+driftSummary(r))
}

func TestDriftSummary(t *testing.T) {
	var out strings.Builder
	if err := writeDrift(&out, &audit.DriftReport{Records: 1}); err != nil || out.Len() > 0 {
		t.Errorf("printed %q, error %v; want neither", out.String(), err)
	}
	if got, want := driftSummary(&audit.DriftReport{Records: 1}), "something unknown in 0 of 1 records\n"; got != want {
		t.Errorf("summary is %q, want %q", got, want)
	}
	if got := driftSummary(&audit.DriftReport{Unlisted: 3}); !strings.Contains(got, "leaves out 3 more") {
		t.Errorf("the summary hides that the list is not whole: %s", got)
	}
}
