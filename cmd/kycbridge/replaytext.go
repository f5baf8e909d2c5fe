package main

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/kycbridge/kycbridge/normalize/replay"
)

// outcomeTexts say what became of a raw record.
var outcomeTexts = map[replay.Outcome]string{
	replay.Emitted:      "events published",
	replay.DeadLettered: "a dead letter",
	replay.Duplicate:    "a duplicate of another record",
	replay.Asked:        "handed to the hydrate stage, which asks the vendor's API",
	replay.StillDead:    "left alone: still a dead letter, for the same reason",
	replay.Before:       "left alone: done under this replay id before",
	replay.NoGap:        "left alone: no gap, it was published or is a duplicate",
	replay.NeverEmitted: "left alone: never published; --mode fill-gaps is for those",
	replay.WithHydrate:  "left alone: the hydrate stage has it in hand",
	replay.NeedsAPI:     "left alone: needs the vendor's API, and its answer was never stored",
	replay.ObjectGone:   "left alone: the stored answer of the vendor's API is gone",
	replay.PoisonPill:   "left alone: a poison pill, processes died over it; its id, --reason crasher or --crashers takes it",
	replay.Contended:    "left alone: another record of the same delivery is claimed and not committed; run again later",
}

// writeReplay writes the report of a replay for a person.
func writeReplay(w io.Writer, r *replay.Report) error {
	did := "chosen"
	if r.DryRun {
		did = "chosen; dry run: nothing is written, this is what would be"
	}
	fmt.Fprintf(w, "replay %s, %s: %d raw records %s\n", r.ID, r.Mode, r.Chosen, did)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Counts {
		fmt.Fprintf(t, "  %d\t%s\t%s\n", c.Records, cmp.Or(c.Vendor, "-"), outcomeTexts[c.Outcome])
	}
	if err := t.Flush(); err != nil {
		return cannotPrint(err)
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
