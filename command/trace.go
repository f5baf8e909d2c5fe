package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/operate"
)

func newTrace(env *environment) *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "trace ID",
		Short: "Show what became of a delivery, a session or an event",
		Long: `Show every accepted delivery with this id: when it was received, what was decided, its
events, and its duplicates. The command changes nothing and commits no offsets. It shows
ids and status words only; bodies are in the raw topic.

ID is one of
  the vendor's id of a session, check, client or other subject
  the vendor's id of the event
  our id of the event (event_id, the header ce_id)
  the id of the delivery (the header Kycbridge-Delivery-Id of the answer)
  ENDPOINT/ID, the key of the records: reads only that key's partition
  PARTITION@OFFSET of the raw record, or TOPIC/PARTITION/OFFSET as drift prints it

After the raw record has expired, the story comes from the dispositions, which are kept
longest. Refused deliveries are in no topic, only in metrics and logs.

--since and --until narrow the search to dispositions and events written in a time range.
` + windowHelp + `

--json prints one JSON document per delivery, each on its own line.

` + kafkaHelp,
		Example: `  kycbridge trace 65f0fc7fe9c12d74a4246c13       a session or check, by the vendor's id
  kycbridge trace complycube/65f0fc7fe9c12d74a4246c13 --since 7d
  kycbridge trace 3@1742                         one raw record
  kycbridge trace 019b8a5e-5c00-7000-8000-000000000001 --json | jq .dispositions`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usagef("trace takes one id, got %d; see `%s --help`", len(args), c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return trace(c.Context(), env, f, args[0]) },
	}
	f.kafkaFlags.bind(c)
	c.Flags().StringVar(&f.from, "since", "", "search what was written at or after this TIME")
	c.Flags().StringVar(&f.to, "until", "", "search what was written before this TIME")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON document per delivery and line")
	return c
}

func trace(ctx context.Context, env *environment, f verifyFlags, id string) error {
	win, err := parseWindow(f.from, f.to, time.Now())
	if err != nil {
		return err
	}
	s, err := f.servers(env, "trace")
	if err != nil {
		return err
	}
	show, end := env.progress()
	story, err := operate.Trace(ctx, s, operate.TraceQuery{ID: id, Window: win, Progress: show})
	end()
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: no result")
	case err != nil:
		return explainKafka(s, err)
	case len(story.Deliveries) == 0:
		return nothingFound(story, id, win)
	}
	if err := printStory(env.stdout, story, f.json); err != nil {
		return err
	}
	if story.More {
		return fmt.Errorf("more than %d deliveries match, and only these are shown: narrow the search with --since and --until", audit.MaxDeliveries)
	}
	return nil
}

// nothingFound is the error for an id without deliveries. It names what was searched.
func nothingFound(s *audit.Story, id string, win operate.Window) error {
	when := "all that they hold"
	switch {
	case !win.From.IsZero() && !win.To.IsZero():
		when = fmt.Sprintf("from %s to %s", win.From.UTC().Format(time.RFC3339), win.To.UTC().Format(time.RFC3339))
	case !win.From.IsZero():
		when = "since " + win.From.UTC().Format(time.RFC3339)
	case !win.To.IsZero():
		when = "before " + win.To.UTC().Format(time.RFC3339)
	}
	text := fmt.Sprintf("no accepted delivery has the id %s: searched %s, %s", shown(id), strings.Join(s.Searched, ", "), when)
	if s.Held != nil {
		text = fmt.Sprintf("no accepted delivery has the id %s: %s", shown(id), heldText(s.Held.Start, s.Held.End))
	}
	if s.Earlier > 0 {
		text += fmt.Sprintf(" (%d dispositions of an earlier raw topic of the same name have it; see `kycbridge tail disposition`)", s.Earlier)
	}
	return errors.New(text + "; a refused delivery is in no topic, only in the metrics and the log of ingest")
}

// heldText says where a partition of the raw topic begins and ends.
func heldText(start, end int64) string {
	if start == end {
		return fmt.Sprintf("the raw topic holds nothing of that partition, whose next offset is %d", end)
	}
	return fmt.Sprintf("the raw topic holds the offsets from %d to %d of that partition", start, end-1)
}

func printStory(out io.Writer, s *audit.Story, asJSON bool) error {
	if !asJSON {
		_, err := io.WriteString(out, storyText(s))
		return cannotPrint(err)
	}
	for _, d := range s.Deliveries {
		if err := writeLine(out, d); err != nil {
			return err
		}
	}
	return nil
}
