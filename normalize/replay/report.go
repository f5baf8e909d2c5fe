package replay

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
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
	Crasher      Outcome = "crasher"
	Contended    Outcome = "contended"
)

var outcomes = []struct {
	is   Outcome
	text string
}{
	{Emitted, "events published"},
	{DeadLettered, "a dead letter"},
	{Duplicate, "a duplicate of another record"},
	{Asked, "handed to the hydrate stage, which asks the vendor's API"},
	{StillDead, "left alone: still a dead letter, for the same reason"},
	{Before, "left alone: done under this replay id before"},
	{NoGap, "left alone: no gap, it was published or is a duplicate"},
	{NeverEmitted, "left alone: never published; --mode fill-gaps is for those"},
	{WithHydrate, "left alone: the hydrate stage has it in hand"},
	{NeedsAPI, "left alone: needs the vendor's API, and its answer was never stored"},
	{ObjectGone, "left alone: the stored answer of the vendor's API is gone"},
	{Crasher, "left alone: processes died over it; its id, --reason crasher or --crashers takes it, too"},
	{Contended, "left alone: another record of the same delivery is claimed and not committed; run again later"},
}

// Writes says whether something is written for a record with this outcome.
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
		if n := rank(a.Outcome) - rank(b.Outcome); n != 0 {
			return n
		}
		return strings.Compare(a.Vendor, b.Vendor)
	})
}

func rank(o Outcome) int {
	for i, row := range outcomes {
		if row.is == o {
			return i
		}
	}
	return len(outcomes)
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

// WriteJSON writes one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// WriteText writes the report for a person.
func (r *Report) WriteText(w io.Writer) error {
	did := "chosen"
	if r.DryRun {
		did = "chosen; dry run: nothing is written, this is what would be"
	}
	fmt.Fprintf(w, "replay %s, %s: %d raw records %s\n", r.ID, r.Mode, r.Chosen, did)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Counts {
		vendor := c.Vendor
		if vendor == "" {
			vendor = "-"
		}
		fmt.Fprintf(t, "  %d\t%s\t%s\n", c.Records, vendor, outcomes[rank(c.Outcome)].text)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	if r.Later > 0 {
		fmt.Fprintf(w, "  %d  not there or not normalised yet; those are the normaliser's\n", r.Later)
	}
	if r.Gone > 0 {
		fmt.Fprintf(w, "  %d  no longer in the raw topic\n", r.Gone)
	}
	_, err := fmt.Fprintf(w, "%d events in %d transactions\n", r.Events, r.Transactions)
	return err
}
