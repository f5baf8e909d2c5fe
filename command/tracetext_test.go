package command

import (
	"testing"

	"github.com/kycbridge/kycbridge/audit"
)

// TestFateText: what was decided is told in one line, with how the events were flagged, which may be gone by now.
func TestFateText(t *testing.T) {
	for want, f := range map[string]audit.Disposition{
		"EMITTED 1 event  by the normaliser, mapping complycube/3":                        {Kind: "EMITTED", Stage: "NORMALIZE", Mapper: "complycube/3", EventIDs: []string{"a"}},
		"EMITTED 2 events, dedupe=unconfirmed  by a replay again-1, mapping complycube/3": {Kind: "EMITTED", Stage: "REPLAY", Mapper: "complycube/3", Replay: "again-1", EventIDs: []string{"a", "b"}, Flag: "unconfirmed"},
		"DEAD_LETTERED SKIPPED_BY_OPERATOR  by an operator":                               {Kind: "DEAD_LETTERED", Stage: "NORMALIZE", Reason: skippedByOperator},
	} {
		if got := fateText(f); got != want {
			t.Errorf("%+v\nis told as %q\nexpected      %q", f, got, want)
		}
	}
}
