package command

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
	replay.Asked:        "handed to the hydrate stage, which calls the vendor's API",
	replay.StillDead:    "left alone: still a dead letter, for the same reason",
	replay.Before:       "left alone: this replay id has done it before",
	replay.NoGap:        "left alone: no gap, published before or a duplicate",
	replay.NeverEmitted: "left alone: never published; use --mode fill-gaps",
	replay.WithHydrate:  "left alone: waiting in the hydrate stage",
	replay.NeedsAPI:     "left alone: needs an answer of the vendor's API, and none was stored",
	replay.ObjectGone:   "left alone: the stored answer of the vendor's API is gone",
	replay.PoisonPill:   "left alone: a poison pill, it killed processes; replay it by its id, --reason crasher or --crashers",
	replay.Contended:    "left alone: a copy of it is claimed and not committed yet; run again later",
	replay.TakenOver:    "left alone: taken over by live traffic, which publishes a copy; run again to see that nothing is missing",
}

// writeReplay writes the report of a replay for a person.
func writeReplay(w io.Writer, r *replay.Report) error {
	did := "chosen"
	if r.DryRun {
		did = "chosen; dry run: nothing is written, the report shows what would be"
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
		fmt.Fprintf(w, "  %d  not in the raw topic yet, or not normalised yet: left to the normaliser\n", r.Later)
	}
	if r.Gone > 0 {
		fmt.Fprintf(w, "  %d  no longer in the raw topic\n", r.Gone)
	}
	_, err := fmt.Fprintf(w, "%d events in %d transactions\n", r.Events, r.Transactions)
	return err
}
