package audit

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/kycbridge/kycbridge/internal/record"
)

// Verdict is what Verify found.
type Verdict struct {
	Checks   []Check          `json:"checks"`
	Raw      int64            `json:"raw_records"`   // judged
	Pending  int64            `json:"pending"`       // in the range, not yet processed when the check began
	Waiting  int64            `json:"waiting"`       // of the judged ones: for the vendor's API
	Emitted  int64            `json:"emitted"`       // final dispositions by kind
	Repeats  int64            `json:"duplicates"`    //
	Dead     int64            `json:"dead_lettered"` //
	Events   int64            `json:"events"`        // in the domain topics, without replayed ones
	Filled   int64            `json:"filled"`        // judged records that only a replay brought to an end
	Flagged  map[string]int64 `json:"flagged"`       // of these, the ones flagged "dedupe=…", by that word
	Replays  []Replay         `json:"replays"`
	Read     int64            `json:"records_read"`    // of all topics
	Unread   int64            `json:"unreadable"`      // records that are not what their topic promises
	Older    int64            `json:"older_originals"` // duplicates of a record outside of the range
	Vanished int64            `json:"expired"`         // raw records without a disposition that retention removed while the check ran

	Unprocessed int64    `json:"expired_unprocessed"` // raw records that retention removed before they were processed
	Mended      int64    `json:"mended_duplicates"`   // duplicates of nothing whose delivery came out later
	Republished int64    `json:"republished"`         // events that are in their topic only as a replay published them again
	Alone       int64    `json:"events_without_json"` // where there are JSON topics: events before or after all that have their JSON
	Notes       []string `json:"notes"`               // what limits the verdict, and what to do about violations
}

// Check is one line of the verdict.
type Check struct {
	ID         string      `json:"check"` // "O1" to "O6"
	What       string      `json:"what"`
	Unchecked  string      `json:"unchecked,omitempty"` // why it could not be checked; "" as a rule
	Looked     int64       `json:"looked_at"`
	Violations int64       `json:"violations"`
	First      []Violation `json:"first"` // the first of them, by raw position
}

// Violation is one thing that must not be.
type Violation struct {
	Raw  record.Position `json:"raw"` // the raw record concerned; offset -1 where there is none
	What string          `json:"what"`
}

// Replay is what one replay left in the range.
type Replay struct {
	ID           string `json:"replay_id"`
	Emitted      int64  `json:"emitted"`
	Duplicates   int64  `json:"duplicates"`
	DeadLettered int64  `json:"dead_lettered"`
	Asked        int64  `json:"asked"` // handed to the hydrate stage
	Events       int64  `json:"events"`
}

// Violations counts those of all checks.
func (v *Verdict) Violations() (n int64) {
	for _, c := range v.Checks {
		n += c.Violations
	}
	return n
}

// The checks, by their place in findings.
const (
	o1 = iota
	o2
	o3
	o4
	o5
	o6 // only where there are JSON topics
)

const noLedger = "needs the sender's ledger"

// findings collects a verdict over all lanes.
type findings struct {
	o       VerifyOptions
	ledger  *Ledger
	v       Verdict
	read    int64
	seen    map[string]bool // accepted deliveries that came out
	hollow  bool            // there are duplicates of nothing
	replays []Replay        // by the number that outputs know them by, less one
}

func newFindings(in *Evidence, o VerifyOptions) *findings {
	f := &findings{o: o, ledger: in.Ledger, seen: map[string]bool{}}
	f.v.Flagged = map[string]int64{}
	f.v.Checks = []Check{
		o1: {ID: "O1", What: "nothing lost: every accepted delivery is an event or a dead letter", Unchecked: noLedger},
		o2: {ID: "O2", What: "nothing doubled: no event and no dead letter is there twice"},
		o3: {ID: "O3", What: "nobody let in: nothing comes from a forged delivery", Unchecked: noLedger},
		o4: {ID: "O4", What: "accounted for: every raw record has one final disposition, and everything it names exists"},
		o5: {ID: "O5", What: "in order: the events of a subject follow the order of their deliveries"},
	}
	if len(in.Twins) > 0 {
		f.v.Checks = append(f.v.Checks, Check{ID: "O6", What: "said alike: every event is on its JSON topic as often as on its own, and nothing else is"})
	}
	if f.ledger != nil {
		f.v.Checks[o1].Unchecked, f.v.Checks[o3].Unchecked = "", ""
		f.v.Checks[o1].Looked = int64(len(f.ledger.Accepted))
	}
	for _, s := range in.Spans {
		f.v.Raw += s.end() - s.First
		f.v.Pending += max(s.Next-s.end(), 0)
	}
	return f
}

// violate notes a violation, and keeps the first ones by raw position.
func (f *findings) violate(check int, raw record.Position, what string) {
	c := &f.v.Checks[check]
	c.Violations++
	v := Violation{Raw: raw, What: what}
	at, _ := slices.BinarySearchFunc(c.First, v, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Raw.Partition, b.Raw.Partition), cmp.Compare(a.Raw.Offset, b.Raw.Offset), strings.Compare(a.What, b.What))
	})
	if at >= f.o.MaxListed {
		return
	}
	c.First = slices.Insert(c.First, at, v)
	c.First = c.First[:min(len(c.First), f.o.MaxListed)]
}

// delivered notes that the delivery with a vendor's id left a trace of its own.
func (f *findings) delivered(vendorID string, raw record.Position, what string) {
	if f.ledger == nil || vendorID == "" {
		return
	}
	f.v.Checks[o3].Looked++
	if f.ledger.Forged[vendorID] {
		f.violate(o3, raw, "the forged delivery "+vendorID+" became "+what)
	}
}

// arrived notes that a delivery came out, as an event or a dead letter.
func (f *findings) arrived(vendorID string) {
	if f.ledger != nil && f.ledger.Accepted[vendorID] {
		f.seen[strings.Clone(vendorID)] = true
	}
}

// replay gives the number of a replay; 0 is none.
func (f *findings) replay(id string) uint16 {
	if id == "" {
		return 0
	}
	for n := range f.replays {
		if f.replays[n].ID == id {
			return uint16(n + 1)
		}
	}
	f.replays = append(f.replays, Replay{ID: strings.Clone(id)})
	return uint16(len(f.replays))
}

func (f *findings) verdict() *Verdict {
	if f.ledger != nil {
		for _, id := range slices.Sorted(maps.Keys(f.ledger.Accepted)) {
			if !f.seen[id] {
				f.violate(o1, record.Position{Partition: -1, Offset: -1}, "the accepted delivery "+id+" is in no topic")
			}
		}
	}
	if f.hollow {
		f.v.Notes = append(f.v.Notes, hollowAdvice)
	}
	if f.v.Unprocessed > 0 {
		f.v.Notes = append(f.v.Notes, expiredAdvice)
	}
	f.v.Read = f.read
	f.v.Replays = append(f.v.Replays, f.replays...)
	slices.SortFunc(f.v.Replays, func(a, b Replay) int { return strings.Compare(a.ID, b.ID) })
	f.v.Checks[o4].Looked = f.v.Raw
	return &f.v
}
