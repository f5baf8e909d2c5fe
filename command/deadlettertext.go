package command

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/kycbridge/kycbridge/audit"
)

// writeLetters writes a table of letters for a person; nothing where there are
// none.
func writeLetters(w io.Writer, all []audit.Letter) error {
	if len(all) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TIME\tREASON\tVENDOR\tENDPOINT\tRAW\tDELIVERY\tSTAGE\tFIELD\tDETAIL")
	for _, l := range all {
		m, e := l.Message, l.Message.GetEnvelope()
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d@%d\t%s\t%s\t%s\t%s\n", l.Record.Time.UTC().Format(time.RFC3339), audit.ReasonName(m.GetReason()),
			dash(e.GetProvider()), dash(e.GetEndpoint()), m.GetRaw().GetPartition(), m.GetRaw().GetOffset(), dash(e.GetDeliveryId()),
			dash(m.GetStage()), dash(m.GetField()), short(m.GetDetail(), 80))
	}
	return cannotPrint(t.Flush())
}

// writeLetter writes a letter without its body, for a person.
func writeLetter(w io.Writer, l audit.Letter) error {
	m, e := l.Message, l.Message.GetEnvelope()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprintf(t, "%s\t%s\n", name, dash(value)) }
	row("letter", fmt.Sprintf("%s/%d/%d, written %s", l.Record.Topic, l.Record.Partition, l.Record.Offset, l.Record.Time.UTC().Format(time.RFC3339)))
	row("reason", audit.ReasonName(m.GetReason()))
	row("stage", m.GetStage())
	row("field", m.GetField())
	row("detail", m.GetDetail())
	row("attempts", strconv.Itoa(int(m.GetAttempts())))
	row("raw", fmt.Sprintf("%s/%d/%d", m.GetRaw().GetTopic(), m.GetRaw().GetPartition(), m.GetRaw().GetOffset()))
	row("delivery", e.GetDeliveryId())
	row("vendor", e.GetProvider())
	row("endpoint", e.GetEndpoint())
	row("tenant", e.GetTenant())
	if e.GetReceivedAt() != nil {
		row("received", e.GetReceivedAt().AsTime().Format(time.RFC3339Nano))
	}
	for _, h := range l.ShownHeaders() {
		row(shown(h[0]), h[1])
	}
	row("body", fmt.Sprintf("%d bytes, not shown: --body FILE writes them", len(e.GetBody())))
	return cannotPrint(t.Flush())
}

func short(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-1]) + "…"
	}
	return dash(text)
}

// writeBody writes a body so that only the current user can read it.
func writeBody(env *environment, path string, body []byte) error {
	if path == "-" {
		_, err := env.bytes.Write(body)
		return cannotPrint(err)
	}
	if err := os.WriteFile(path, body, 0o600); err != nil {
		return fmt.Errorf("cannot write the body: %w", err)
	}
	fmt.Fprintf(env.stderr, "wrote %d bytes to %s; the file holds personal data\n", len(body), path)
	return nil
}
