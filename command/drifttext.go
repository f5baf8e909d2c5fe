package command

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/kycbridge/kycbridge/audit"
)

// writeDrift writes the entries for a person; nothing where there are none.
func writeDrift(w io.Writer, r *audit.DriftReport) error {
	if len(r.Entries) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "VENDOR\tKIND\tWORD\tCOUNT\tFIRST SEEN\tLAST SEEN\tSAMPLE\tDELIVERY")
	for _, e := range r.Entries {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s/%d/%d\t%s\n", dash(e.Vendor), dash(e.Kind), dash(e.Word), e.Count,
			e.First.UTC().Format(time.RFC3339), e.Last.UTC().Format(time.RFC3339),
			e.Sample.Topic, e.Sample.Partition, e.Sample.Offset, dash(e.Sample.Delivery))
	}
	return cannotPrint(t.Flush())
}

// driftSummary is what the report covers, in a few lines.
func driftSummary(r *audit.DriftReport) string {
	text := fmt.Sprintf("something unknown in %d of %d records\n", r.Drifted, r.Records)
	if r.Unlisted > 0 {
		text += fmt.Sprintf("the list ends at %d entries and leaves out %d more sightings: choose a vendor or a shorter time\n", len(r.Entries), r.Unlisted)
	}
	if r.Unread > 0 {
		text += fmt.Sprintf("unreadable records: %d; see the dead letters\n", r.Unread)
	}
	return text
}
