package replay

import (
	"cmp"
	"slices"
	"strings"
)

// Outcome is what became of a chosen record, or why it was left alone.
type Outcome string

// The outcomes, in the order of the report. The first four are written.
const (
	Emitted      Outcome = "emitted"
	DeadLettered Outcome = "dead_lettered"
	Duplicate    Outcome = "duplicate"
	Asked        Outcome = "asked"
	StillDead    Outcome = "still_dead"
	Before       Outcome = "done_before"
	NoGap        Outcome = "no_gap"
	NeverEmitted Outcome = "never_emitted"
	WithHydrate  Outcome = "with_hydrate"
	NeedsAPI     Outcome = "needs_api"
	ObjectGone   Outcome = "object_gone"
	PoisonPill   Outcome = "crasher"
	Contended    Outcome = "contended"
	TakenOver    Outcome = "taken_over"
)

// Outcomes are all there are, in the order of a report.
func Outcomes() []Outcome {
	return []Outcome{
		Emitted, DeadLettered, Duplicate, Asked, StillDead, Before, NoGap, NeverEmitted, WithHydrate, NeedsAPI,
		ObjectGone, PoisonPill, Contended, TakenOver,
	}
}

// Writes reports whether something is written for a record with this outcome.
func (o Outcome) Writes() bool {
	return o == Emitted || o == DeadLettered || o == Duplicate || o == Asked
}

// Count is how many raw records came to an outcome.
type Count struct {
	Outcome Outcome `json:"outcome"`
	Vendor  string  `json:"vendor"` // "" where there is none that we know
	Records int64   `json:"records"`
}

// Report is what a replay did, or in a dry run would do. Scripts read its JSON: fields are added, never
// renamed.
type Report struct {
	ID           string   `json:"replay_id"`
	Mode         Mode     `json:"mode"`
	DryRun       bool     `json:"dry_run"`
	Chosen       int64    `json:"chosen"` // raw records of the selection
	Events       int64    `json:"events"` // written, or to be written
	Later        int64    `json:"later"`  // asked for by offset, and not reached by the normaliser yet
	Gone         int64    `json:"gone"`   // asked for by offset, and no longer in the raw topic
	Transactions int64    `json:"transactions"`
	Partitions   int32    `json:"partitions"` // finished
	Unknown      []string `json:"unknown_ids,omitempty"`
	Counts       []Count  `json:"counts"`
}

func newReport(o Options) *Report {
	return &Report{ID: o.ID, Mode: o.Mode, DryRun: o.DryRun, Counts: []Count{}}
}

func (r *Report) add(t tally) {
	r.Chosen++
	r.Events += t.events
	for i := range r.Counts {
		if r.Counts[i].Outcome == t.outcome && r.Counts[i].Vendor == t.vendor {
			r.Counts[i].Records++
			return
		}
	}
	r.Counts = append(r.Counts, Count{t.outcome, t.vendor, 1})
	slices.SortFunc(r.Counts, func(a, b Count) int {
		order := Outcomes()
		return cmp.Or(slices.Index(order, a.Outcome)-slices.Index(order, b.Outcome), strings.Compare(a.Vendor, b.Vendor))
	})
}

// Of counts the records that came to an outcome.
func (r *Report) Of(o Outcome) (n int64) {
	for _, c := range r.Counts {
		if c.Outcome == o {
			n += c.Records
		}
	}
	return n
}

func (r *Report) missing(m *matcher) {
	for id, found := range m.ids {
		if !found {
			r.Unknown = append(r.Unknown, id)
		}
	}
	slices.Sort(r.Unknown)
}
