package operate_test

import (
	"testing"

	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/operate/operatetest"
	"github.com/kycbridge/kycbridge/normalize/replay"
)

// TestReplayBegins: told once, before the first transaction, and not of a dry run nor of a replay that
// cannot begin.
func TestReplayBegins(t *testing.T) {
	t.Parallel()
	b := operatetest.Start(t)
	b.Sound()
	begun := 0
	q := operate.ReplayQuery{
		ID: "again", Mode: replay.ReEmit, DryRun: true, Begins: func() { begun++ },
		Progress: func(p replay.Progress) {
			if p.Report.Transactions > 0 && begun == 0 {
				t.Error("written before it began")
			}
		},
	}
	r, err := operate.Replay(t.Context(), servers(b), q)
	if err != nil || r.Chosen != 3 || begun != 0 {
		t.Errorf("the dry run: %+v, %v, begun %d times", r, err, begun)
	}
	q.DryRun = false
	if r, err = operate.Replay(t.Context(), servers(b), q); err != nil || r.Chosen != 3 || begun != 1 {
		t.Errorf("the replay: %+v, %v, begun %d times", r, err, begun)
	}
	for _, bad := range []operate.ReplayQuery{{ID: "not an id", Mode: replay.ReEmit}, {ID: "a", Mode: "both"}} {
		bad.Begins = q.Begins
		if r, err := operate.Replay(t.Context(), servers(b), bad); r != nil || err == nil || begun != 1 {
			t.Errorf("%+v: %+v, %v, begun %d times", bad, r, err, begun)
		}
	}
}
