package dedupe

import "time"

// Item is one raw record of a batch, or a task that stands for one.
type Item struct {
	Partition  int32
	Offset     int64
	Endpoint   string    // "" where the record is no envelope
	ReceivedAt time.Time // when the delivery arrived; the epoch where the record is no envelope
	Origin     *Origin   // of a task: open, and in the batch once; see Ledger.Disposed
	Identified bool      // false: it has no identity, nothing is claimed, nothing can be its copy
	Key        Key
	Former     []Key    // what Key would be in the former topics, as in LedgerOptions
	Hash       [32]byte // of the content
}

// raw is the offset of the raw record.
func (i Item) raw() int64 {
	if i.Origin != nil {
		return i.Origin.Offset
	}
	return i.Offset
}

func (i Item) claim() Claim {
	return Claim{State: Pending, Partition: i.Partition, Offset: i.Offset, Hash: [HashSize]byte(i.Hash[:HashSize])}
}

// Action is what becomes of one raw record.
type Action uint8

const (
	_ Action = iota // undecided
	// Publish: its events or its dead letter go out.
	Publish
	// Duplicate: a disposition only, which names the owner.
	Duplicate
	// Nothing: its disposition is committed already; only the offset moves.
	Nothing
	// Undecided: only from a ReplayLedger. Another record holds the claim, and how that one ends is not known.
	Undecided
)

// Flag is the value of the header "dedupe" of what is published; "" where all is well.
type Flag string

const (
	// Conflict: other content came under the same identity.
	Conflict Flag = "conflict"
	// Unconfirmed: a copy in another partition may be published too.
	Unconfirmed Flag = "unconfirmed"
	// Unverified: Redis was away and the operator chose to go on.
	Unverified Flag = "unverified"
)

// Verdict is the outcome for one Item.
type Verdict struct {
	Action Action
	Step   Step // how the rule came to it; of no meaning for followers and unidentified records
	Flag   Flag
	Keyed  bool
	Key    Key       // under which it was decided: the identity's, or its variant's
	Owner  Claim     // of a Duplicate
	Former *[16]byte // the topic that Owner lies in, where that is a former one
}

// CommittedIn reports whether a record is dropped for a committed one of a partition of the topic that the stage reads.
func (v Verdict) CommittedIn(p int32) bool {
	return v.Action == Duplicate && v.Former == nil && v.Owner.State == Done && v.Owner.Partition == p
}

// spread turns a contender's step into the verdicts of its members.
func (c *contender) spread(items []Item, verdicts []Verdict) {
	owner := c.own
	if c.step == Drop {
		owner = *c.found
	}
	for n, i := range c.members {
		v := Verdict{Action: Duplicate, Step: c.step, Keyed: true, Key: c.key, Owner: owner, Former: c.topic}
		switch {
		case c.topic != nil:
		case c.step == Drop && owner.State == Done && owner.owns(items[i].claim()):
			v.Action = Nothing // the mark is this later member's own
		case n > 0 || c.step == Drop:
		case c.step == Skip:
			v.Action = Nothing
		default:
			v.Action, v.Flag = Publish, c.flag()
		}
		verdicts[i] = v
	}
}

func (c *contender) flag() Flag {
	switch {
	case c.branched:
		return Conflict
	case c.unconfirmed:
		return Unconfirmed
	default:
		return ""
	}
}

// unverified decides a batch without Redis: copies within it are still found, nothing else.
func unverified(items []Item, verdicts []Verdict) {
	for _, g := range groupItems(items, verdicts) {
		for n, c := range g.classes {
			if n > 0 {
				c.key = c.key.Variant(c.hash)
			}
			c.spread(items, verdicts)
			verdicts[c.members[0]].Flag = Unverified
		}
	}
	for i := range verdicts {
		if verdicts[i].Action == 0 {
			verdicts[i].Action = Publish // no identity: nothing was to be verified
		}
	}
}
