package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// letterLine is a letter in JSON, without its body. Scripts read it: fields are
// added, never renamed.
type letterLine struct {
	Time      time.Time         `json:"time"`
	Reason    string            `json:"reason"`
	Stage     string            `json:"stage"`
	Field     string            `json:"field"`
	Detail    string            `json:"detail"`
	Attempts  int32             `json:"attempts"`
	Raw       Sample            `json:"raw"`
	Vendor    string            `json:"vendor"`
	Endpoint  string            `json:"endpoint"`
	Tenant    string            `json:"tenant"`
	Received  *time.Time        `json:"received_at"` // null where the record was no envelope
	Type      string            `json:"content_type"`
	Headers   map[string]string `json:"headers"`
	BodyBytes int               `json:"body_bytes"`
	Letter    string            `json:"letter"` // topic/partition/offset
}

func (l Letter) line() letterLine {
	m, e := l.Message, l.Message.GetEnvelope()
	raw := m.GetRaw()
	line := letterLine{
		Time: l.Record.Time.UTC(), Reason: ReasonName(m.GetReason()), Stage: m.GetStage(), Field: m.GetField(),
		Detail: m.GetDetail(), Attempts: m.GetAttempts(),
		Raw:    Sample{Topic: raw.GetTopic(), Partition: raw.GetPartition(), Offset: raw.GetOffset(), Delivery: e.GetDeliveryId()},
		Vendor: e.GetProvider(), Endpoint: e.GetEndpoint(), Tenant: e.GetTenant(), Type: e.GetContentType(),
		Headers: map[string]string{}, BodyBytes: len(e.GetBody()),
		Letter: fmt.Sprintf("%s/%d/%d", l.Record.Topic, l.Record.Partition, l.Record.Offset),
	}
	if e.GetReceivedAt() != nil {
		at := e.GetReceivedAt().AsTime()
		line.Received = &at
	}
	for _, h := range e.GetHeaders() {
		line.Headers[h.GetName()] = h.GetValue()
	}
	return line
}

// WriteJSON writes the letter without its body, as one JSON object on one line.
func (l Letter) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(l.line()); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}

// WriteLetters writes a table of letters for a person; nothing where there are
// none.
func WriteLetters(w io.Writer, all []Letter) error {
	if len(all) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TIME\tREASON\tVENDOR\tENDPOINT\tRAW\tDELIVERY\tSTAGE\tFIELD\tDETAIL")
	for _, letter := range all {
		l := letter.line()
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d@%d\t%s\t%s\t%s\t%s\n", l.Time.Format(time.RFC3339), l.Reason, dash(l.Vendor), dash(l.Endpoint),
			l.Raw.Partition, l.Raw.Offset, dash(l.Raw.Delivery), dash(l.Stage), dash(l.Field), short(l.Detail, 80))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}

// WriteText writes all of a letter but its body, for a person.
func (l Letter) WriteText(w io.Writer) error {
	line := l.line()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprintf(t, "%s\t%s\n", name, dash(value)) }
	row("letter", line.Letter+", written "+line.Time.Format(time.RFC3339))
	row("reason", line.Reason)
	row("stage", line.Stage)
	row("field", line.Field)
	row("detail", line.Detail)
	row("attempts", strconv.Itoa(int(line.Attempts)))
	row("raw", fmt.Sprintf("%s/%d/%d", line.Raw.Topic, line.Raw.Partition, line.Raw.Offset))
	row("delivery", line.Raw.Delivery)
	row("vendor", line.Vendor)
	row("endpoint", line.Endpoint)
	row("tenant", line.Tenant)
	if line.Received != nil {
		row("received", line.Received.UTC().Format(time.RFC3339Nano))
	}
	row("content type", line.Type)
	for _, h := range l.Message.GetEnvelope().GetHeaders() {
		row("header "+dash(h.GetName()), h.GetValue())
	}
	row("body", fmt.Sprintf("%d bytes, not shown: --body FILE writes them", line.BodyBytes))
	if err := t.Flush(); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}

// dash stands for what is empty, and quotes what could move a terminal's cursor.
func dash(text string) string {
	if text == "" {
		return "-"
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

func short(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-1]) + "…"
	}
	return dash(text)
}
