package dedupe

import "testing"

func TestDecide(t *testing.T) {
	own := Claim{State: Pending, Partition: 3, Offset: 10, Hash: [HashSize]byte{1}}
	other := [HashSize]byte{2}
	with := func(s State, partition int32, offset int64, hash [HashSize]byte) *Claim {
		return &Claim{State: s, Partition: partition, Offset: offset, Hash: hash}
	}
	for _, c := range []struct {
		name  string
		found *Claim
		want  Step
	}{
		{"nothing there", nil, Emit},
		{"own claim: a retry", with(Pending, 3, 10, own.Hash), Retry},
		{"own mark", with(Done, 3, 10, own.Hash), Skip},
		{"earlier owner, pending", with(Pending, 3, 9, own.Hash), Drop},
		{"earlier owner, done", with(Done, 3, 9, own.Hash), Drop},
		{"later owner, pending", with(Pending, 3, 11, own.Hash), TakeOver},
		{"later owner, done", with(Done, 3, 11, own.Hash), Drop},
		{"other partition, pending, smaller offset", with(Pending, 2, 1, own.Hash), Wait},
		{"other partition, pending, larger offset", with(Pending, 4, 99, own.Hash), Wait},
		{"other partition, done", with(Done, 2, 99, own.Hash), Drop},
		{"same offset in another partition", with(Done, 2, 10, own.Hash), Drop},
		{"other content, pending", with(Pending, 3, 9, other), Branch},
		{"other content, done", with(Done, 3, 9, other), Branch},
		{"other content, other partition", with(Pending, 2, 9, other), Branch},
		// A replay that may be dead claimed for a record whose turn is over: no reason to drop.
		{"a replay's claim, smaller offset", with(Replaying, 3, 9, own.Hash), Wait},
		{"a replay's claim, larger offset", with(Replaying, 3, 11, own.Hash), Wait},
		{"a replay's claim for this record", with(Replaying, 3, 10, own.Hash), Wait},
		{"a replay's claim, other partition", with(Replaying, 2, 9, own.Hash), Wait},
		{"a replay's claim, other content", with(Replaying, 3, 9, other), Branch},
		{"taken over from a replay by an earlier record", with(Contested, 3, 9, own.Hash), Drop},
		{"taken over from a replay by this record", with(Contested, 3, 10, own.Hash), Retry},
		{"taken over from a replay by a later record", with(Contested, 3, 11, own.Hash), TakeOver},
		{"taken over from a replay in another partition", with(Contested, 2, 9, own.Hash), Wait},
		// A log that lost its tail holds another record at this offset now: it must not be skipped.
		{"other content under own coordinates", with(Done, 3, 10, other), Branch},
	} {
		if got := Decide(own, c.found); got != c.want {
			t.Errorf("%s: %v, expected %v", c.name, got, c.want)
		}
	}
}

func TestStepNamesAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for s := Emit; s <= Branch; s++ {
		if seen[s.String()] || s.String() == "unknown" {
			t.Errorf("step %d is called %q", s, s)
		}
		seen[s.String()] = true
	}
}
