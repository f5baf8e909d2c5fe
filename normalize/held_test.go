package normalize

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A transaction holds its partitions while it is open; only one that does not end is worth a word, with its place.
func TestHeldPartitionsAreNamedWhenTheyHang(t *testing.T) {
	h := holds{limit: 20 * time.Second}
	start := time.Unix(1000, 0)
	at := func(stable int64) HeldPartition {
		return HeldPartition{Topic: "kyc.session.v1", Partition: 3, Stable: stable, Records: 7}
	}
	for _, step := range []struct {
		what  string
		after time.Duration
		held  []HeldPartition
		fresh int
		hangs bool
	}{
		{"a transaction begins", 0, []HeldPartition{at(5)}, 0, false},
		{"the next one is open", 25 * time.Second, []HeldPartition{at(9)}, 0, false},
		{"and is within its time", 40 * time.Second, []HeldPartition{at(9)}, 0, false},
		{"it hangs", 50 * time.Second, []HeldPartition{at(9)}, 1, true},
		{"and goes on", 60 * time.Second, []HeldPartition{at(9)}, 0, true},
		{"it was ended", 70 * time.Second, nil, 0, false},
		{"the same offset again, much later", 1000 * time.Second, []HeldPartition{at(9)}, 0, false},
	} {
		if got := len(h.note(step.held, start.Add(step.after))); got != step.fresh {
			t.Errorf("%s: %d are new, expected %d", step.what, got, step.fresh)
		}
		err := h.err()
		if (err != nil) != step.hangs {
			t.Errorf("%s: %v, expected that it hangs: %v", step.what, err, step.hangs)
		}
		if step.hangs && (!errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), "topic kyc.session.v1 partition 3: 7 records from offset 9 on")) {
			t.Errorf("%s: %q does not name the place", step.what, err)
		}
	}
}
