package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// WriteJSON writes one JSON object a line, an entry each. Scripts read it: fields
// are added, never renamed.
func (r *DriftReport) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, entry := range r.Entries {
		if err := e.Encode(entry); err != nil {
			return fmt.Errorf("cannot print: %w", err)
		}
	}
	return nil
}

// WriteTable writes the entries for a person; nothing where there are none.
func (r *DriftReport) WriteTable(w io.Writer) error {
	if len(r.Entries) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "VENDOR\tKIND\tWORD\tCOUNT\tFIRST SEEN\tLAST SEEN\tSAMPLE\tDELIVERY")
	for _, e := range r.Entries {
		word := e.Word
		if word == "" {
			word = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s/%d/%d\t%s\n", e.Vendor, e.Kind, word, e.Count,
			e.First.UTC().Format(time.RFC3339), e.Last.UTC().Format(time.RFC3339),
			e.Sample.Topic, e.Sample.Partition, e.Sample.Offset, e.Sample.Delivery)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}

// Summary says in a few lines what the report covers.
func (r *DriftReport) Summary() string {
	text := fmt.Sprintf("something new in %d of %d records\n", r.Drifted, r.Records)
	if r.Unlisted > 0 {
		text += fmt.Sprintf("not in the list, which ends at %d entries: %d more sightings; name a vendor or a shorter time\n", len(r.Entries), r.Unlisted)
	}
	if r.Unread > 0 {
		text += fmt.Sprintf("no delivery that can be read: %d; see the dead letters\n", r.Unread)
	}
	return text
}
