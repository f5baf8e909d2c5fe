package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

func newTrace(env *environment) *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "trace ID",
		Short: "Tell what became of a delivery, a session or an event",
		Long: `Tell of every accepted delivery that an id concerns: when it was received, what was
decided, which events were made of it, what is a duplicate of what. Nothing is changed,
and nothing is remembered in Kafka. Only ids and the words of statuses are shown; bodies
are in the raw topic.

ID is one of
  the id of a session, check, client or other subject, as the vendor names it
  the vendor's id of the event
  the id of an event here (event_id, the header ce_id)
  the id of a delivery (the header Kycbridge-Delivery-Id of the answer)
  ENDPOINT/ID, the key of the records: only its partition is read
  PARTITION@OFFSET, a record of the raw topic, or TOPIC/PARTITION/OFFSET as drift prints it

Once the raw topic has expired, all this is told from the dispositions, which are kept
longest. Refused deliveries are in no topic: they exist only as metrics and log lines.

--since and --until narrow the search to dispositions and events written in a time range.
` + windowHelp + `

With --json each delivery is one JSON document on a line of its own.

Kafka is at --brokers, else in the configuration of --config, else at
$KYCBRIDGE_KAFKA, else at ` + defaultKafka + `.`,
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
	c.Flags().StringVar(&f.from, "since", "", "search what was written from this TIME on")
	c.Flags().StringVar(&f.to, "until", "", "search what was written before this TIME")
	c.Flags().BoolVar(&f.json, "json", false, "one JSON document a line, a delivery each")
	return c
}

func trace(ctx context.Context, env *environment, f verifyFlags, id string) error {
	win, err := parseWindow(f.from, f.to, time.Now())
	if err != nil {
		return err
	}
	o, err := f.kafka(env, "trace")
	if err != nil {
		return err
	}
	story, err := readStory(ctx, env, o, win, rawPosition(id, o.Topic(schemas.Raw)))
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: nothing is known")
	case err != nil:
		return readTrouble(o, err)
	case len(story.Deliveries) == 0:
		return nothingFound(story, id, win)
	}
	if err := printStory(env, story, f.json); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	if story.More {
		return fmt.Errorf("there are more than %d deliveries: these are not all of them; narrow the search with --since and --until", audit.MaxDeliveries)
	}
	return nil
}

// rawPosition reads TOPIC/PARTITION/OFFSET, as `drift` prints a raw record.
func rawPosition(id, raw string) string {
	if at, ok := strings.CutPrefix(id, raw+"/"); ok {
		return strings.Replace(at, "/", "@", 1)
	}
	return id
}

// nothingFound says what was searched.
func nothingFound(s *audit.Story, id string, win window) error {
	when := "as far back as they go"
	switch {
	case !win.from.IsZero() && !win.to.IsZero():
		when = fmt.Sprintf("from %s to %s", win.from.UTC().Format(time.RFC3339), win.to.UTC().Format(time.RFC3339))
	case !win.from.IsZero():
		when = "from " + win.from.UTC().Format(time.RFC3339) + " on"
	case !win.to.IsZero():
		when = "before " + win.to.UTC().Format(time.RFC3339)
	}
	text := fmt.Sprintf("no accepted delivery is known by %s: searched %s, %s", shown(id), strings.Join(s.Searched, ", "), when)
	if s.Earlier > 0 {
		text += fmt.Sprintf(" (%d dispositions of an earlier raw topic of the same name do name it; see `kycbridge tail disposition`)", s.Earlier)
	}
	return errors.New(text + "; a refused delivery is in no topic and exists only in the metrics and the log of ingest")
}

func readStory(ctx context.Context, env *environment, o sink.Options, win window, id string) (*audit.Story, error) {
	reader, err := openTopics(ctx, o)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	a := audit.Archive{PartitionOf: partitionOf, Describe: describe}
	if a.Pending, err = reader.Committed(ctx, normalize.DefaultGroup, schemas.Raw); err != nil {
		return nil, err
	}
	for _, t := range schemas.Topics() {
		topic, err := reader.topic(ctx, t.Base)
		if err == nil && t.Base != schemas.Raw {
			topic, err = reader.narrowed(ctx, topic, win)
		}
		if err != nil {
			return nil, err
		}
		a.Put(topic)
	}
	show, end := env.progress()
	defer end()
	a.Progress = show
	return audit.Trace(ctx, a, id)
}

// partitionOf is where the writers of all topics put a key.
func partitionOf(key string, partitions int32) int32 {
	n := kgo.StickyKeyPartitioner(nil).ForTopic("").Partition(&kgo.Record{Key: []byte(key)}, int(partitions))
	return int32(n)
}

func describe(event proto.Message) []string { return words(event.ProtoReflect()) }

func printStory(env *environment, s *audit.Story, asJSON bool) error {
	if !asJSON {
		_, err := env.stdout.Write([]byte(storyText(s)))
		return err
	}
	e := json.NewEncoder(env.stdout)
	e.SetEscapeHTML(false)
	for _, d := range s.Deliveries {
		if err := e.Encode(d); err != nil {
			return err
		}
	}
	return nil
}
