package command

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/kycbridge/kycbridge/audit"
)

// writeVerdict writes a verdict for a person.
func writeVerdict(w io.Writer, v *audit.Verdict) error {
	var out strings.Builder
	t := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CHECK\tLOOKED AT\tVIOLATIONS\tWHAT")
	for _, c := range v.Checks {
		if c.Unchecked != "" {
			fmt.Fprintf(t, "%s\t-\t-\t%s (not checked: %s)\n", c.ID, c.What, c.Unchecked)
			continue
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\n", c.ID, c.Looked, c.Violations, c.What)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	fmt.Fprintf(&out, "\n%d raw records: %d emitted, %d duplicates, %d dead-lettered, %d waiting for a vendor's API; %d events\n",
		v.Raw, v.Emitted, v.Repeats, v.Dead, v.Waiting, v.Events)
	writeRemarks(&out, v)
	listViolations(&out, v)
	fmt.Fprintf(&out, "\n%s\n", verdictSummary(v))
	if _, err := io.WriteString(w, out.String()); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}

// writeRemarks adds what the table leaves out, if anything.
func writeRemarks(out io.Writer, v *audit.Verdict) {
	say := func(n int64, text string) {
		if n > 0 {
			fmt.Fprintf(out, "%d %s\n", n, text)
		}
	}
	say(v.Pending, "more are pending: not processed yet when the check began, and not judged")
	say(v.Filled, "records have their final disposition from a replay only")
	for _, word := range slices.Sorted(maps.Keys(v.Flagged)) {
		say(v.Flagged[word], "events carry the flag dedupe="+word+" and do not count for O2")
	}
	for _, r := range v.Replays {
		fmt.Fprintf(out, "replay %q: %d emitted, %d duplicates, %d dead-lettered; %d events\n", r.ID, r.Emitted, r.Duplicates, r.DeadLettered, r.Events)
		say(r.Asked, "of its deliveries were handed to the hydrate stage")
	}
	say(v.Older, "duplicates repeat a record outside the range, which was not checked")
	say(v.Mended, "duplicates repeat nothing, and their deliveries came out later")
	say(v.Republished, "events are in their topic only as a replay published them again")
	say(v.Unprocessed, "raw records expired before they were processed")
	say(v.Vanished, "raw records without a disposition were removed by retention during the check: what they were is unknown")
	say(v.Unread, "records could not be decoded and were skipped")
	say(v.Alone, "events are not on their JSON topic, and come before or after all that are: topics.json was off, or retention removed their JSON")
	for _, n := range v.Notes {
		fmt.Fprintln(out, "note: "+shown(n))
	}
}

// listViolations writes the first of each check.
func listViolations(out io.Writer, v *audit.Verdict) {
	for _, c := range v.Checks {
		if c.Violations == 0 {
			continue
		}
		fmt.Fprintf(out, "\n%s: %d violations\n", c.ID, c.Violations)
		for _, one := range c.First {
			if one.Raw.Offset < 0 {
				fmt.Fprintf(out, "  %s\n", shown(one.What))
				continue
			}
			fmt.Fprintf(out, "  raw %s: %s\n", one.Raw, shown(one.What))
		}
		if rest := c.Violations - int64(len(c.First)); rest > 0 {
			fmt.Fprintf(out, "  … and %d more\n", rest)
		}
	}
}

// verdictSummary is the outcome in one line.
func verdictSummary(v *audit.Verdict) string {
	if n := v.Violations(); n > 0 {
		return fmt.Sprintf("%d violations in %d raw records", n, v.Raw)
	}
	return fmt.Sprintf("no violation in %d raw records", v.Raw)
}
