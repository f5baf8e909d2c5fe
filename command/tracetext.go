package command

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/audit"
)

const clock = "2006-01-02 15:04:05.000Z"

// storyText writes a story for a person, delivery by delivery.
func storyText(s *audit.Story) string {
	var out strings.Builder
	for n, d := range s.Deliveries {
		if n > 0 {
			out.WriteString("\n")
		}
		writeDelivery(&out, d)
	}
	fmt.Fprintf(&out, "\n%s\n", plural(len(s.Deliveries), "delivery", "deliveries"))
	return out.String()
}

func writeDelivery(out *strings.Builder, d audit.Delivery) {
	name := "delivery " + d.ID
	if d.ID == "" {
		name = "a delivery without an id"
	}
	fmt.Fprintf(out, "%s  received %s\n", shown(name), moment(d.ReceivedAt))
	kept := "expired"
	if d.Kept {
		kept = "kept"
	}
	fmt.Fprintf(out, "  raw record   %s  %s  key %s  (%s)\n", d.Raw, d.Topic, shown(d.Key), kept)
	if d.Provider != "" {
		fmt.Fprintf(out, "  from         %s, endpoint %s, tenant %s\n", shown(d.Provider), shown(d.Endpoint), shown(d.Tenant))
	}
	if d.VendorID != "" || d.VendorType != "" {
		fmt.Fprintf(out, "  vendor says  %s %s\n", shown(d.VendorType), shown(d.VendorID))
	}
	for _, f := range d.Dispositions {
		fmt.Fprintf(out, "  %s  %s\n", moment(f.At), fateText(f))
	}
	switch {
	case d.Pending:
		fmt.Fprintln(out, "  not yet processed")
	case len(d.Dispositions) == 0:
		fmt.Fprintln(out, "  no disposition in the searched range; widen --since and --until, or run `kycbridge verify`")
	}
	for _, e := range d.Events {
		fmt.Fprintf(out, "    event %s  %s %d@%d  %s%s\n", e.ID, e.Topic, e.Partition, e.Offset, shown(strings.Join(e.Says, " ")), remarks(e))
	}
	for _, id := range unseen(d) {
		fmt.Fprintf(out, "    event %s  not in the searched range: expired, or see `kycbridge verify`\n", shown(id))
	}
	for _, l := range d.Letters {
		fmt.Fprintf(out, "    %s\n", letterText(l))
	}
	if len(d.RepeatedBy) > 0 {
		var all []string
		for _, p := range d.RepeatedBy {
			all = append(all, p.String())
		}
		fmt.Fprintf(out, "    repeated by %s\n", strings.Join(all, ", "))
	}
}

func letterText(l audit.DeadLetter) string {
	return fmt.Sprintf("dead letter %d@%d  %s at %s%s%s", l.Partition, l.Offset, l.Reason, shown(l.Stage), prefixed(" ", l.Field), prefixed(": ", l.Detail))
}

// unseen are the events that a disposition names and no topic shows.
func unseen(d audit.Delivery) (ids []string) {
	for _, f := range d.Dispositions {
		for _, id := range f.EventIDs {
			there := func(e audit.Event) bool { return e.ID == id }
			if !slices.ContainsFunc(d.Events, there) && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// stageNames are the stages that decide.
var stageNames = map[string]string{"NORMALIZE": "the normaliser", "HYDRATE": "the hydrate stage", "REPLAY": "a replay"}

// skippedByOperator is the reason of what `skip` passed over.
const skippedByOperator = "SKIPPED_BY_OPERATOR"

func fateText(f audit.Disposition) string {
	text := f.Kind
	switch {
	case f.DuplicateOf != nil:
		text += " of " + f.DuplicateOf.String()
	case f.Kind == "DUPLICATE":
		text += " of a delivery that is not in the searched range"
	case f.Kind == "DEAD_LETTERED":
		text += " " + f.Reason
	case f.Kind == "EMITTED":
		text += " " + plural(len(f.EventIDs), "event", "events") + prefixed(", dedupe=", f.Flag)
	case f.Kind == "HYDRATING":
		text += ", waits for the vendor's API"
	}
	who := stageNames[f.Stage]
	switch {
	case f.Reason == skippedByOperator:
		who = "an operator"
	case who == "":
		who = f.Stage
	}
	return text + "  by " + who + prefixed(" ", f.Replay) + prefixed(", mapping ", f.Mapper)
}

// remarks are the facts about an event that are unusual or not always known.
func remarks(e audit.Event) string {
	var parts []string
	if !e.OccurredAt.IsZero() {
		parts = append(parts, "occurred "+moment(e.OccurredAt))
	}
	if !e.FetchedAt.IsZero() {
		parts = append(parts, "fetched "+moment(e.FetchedAt))
	}
	if w := e.Twin; w != nil {
		parts = append(parts, fmt.Sprintf("JSON at %s %d@%d", w.Topic, w.Partition, w.Offset))
	}
	for _, f := range e.Flags {
		parts = append(parts, shown(f))
	}
	if len(parts) == 0 {
		return ""
	}
	return "  (" + strings.Join(parts, ", ") + ")"
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "at an unknown time"
	}
	return t.UTC().Format(clock)
}

// prefixed puts a word in front of a text, if there is one.
func prefixed(word, text string) string {
	if text == "" {
		return ""
	}
	return word + shown(text)
}
