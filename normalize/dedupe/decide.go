package dedupe

// Step is the decision about one record. Its name is also a metric label.
type Step uint8

const (
	// Emit: nobody had claimed the key; the claim that asked now holds it.
	Emit Step = iota
	// Retry: the claim is this record's own, from an attempt that did not commit. It is emitted.
	Retry
	// Skip: this record's own disposition is committed. Only its offset is.
	Skip
	// Drop: a copy of the owner, which is committed or comes earlier in the same partition.
	Drop
	// TakeOver: the owner comes later in the same partition. Take the claim over, then emit.
	TakeOver
	// Wait: the owner is not committed yet, and is in another partition or claimed by a replay.
	Wait
	// Branch: the owner says something else under the same identity. Decide again with the variant's key.
	Branch
)

var stepNames = [...]string{"emit", "retry", "skip", "drop", "lower", "wait", "branch"}

// String returns the step's name in lower case.
func (s Step) String() string {
	if int(s) < len(stepNames) {
		return stepNames[s]
	}
	return "unknown"
}

// Decide is the whole rule: own is the claim of the record in hand, found what Redis held when own
// was offered, nil if nothing.
//
// A drop needs a reason that can never point to a record that was itself dropped for this one:
// either the owner is committed, or it has a smaller offset in the same partition. "Somebody else
// has it" is no reason: a crashed or paused process also has it. Nor is a replay's claim, of whatever
// offset: the replay may never commit, and its record's turn is over.
func Decide(own Claim, found *Claim) Step {
	switch {
	case found == nil:
		return Emit
	case found.Hash != own.Hash:
		return Branch
	case found.State == Done && found.owns(own):
		return Skip
	case found.State == Done:
		return Drop
	case found.State == Replaying:
		return Wait
	case found.owns(own):
		return Retry
	case found.Partition != own.Partition:
		return Wait
	case found.Offset < own.Offset:
		return Drop
	default:
		return TakeOver
	}
}
