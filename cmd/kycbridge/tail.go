package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

type tailFlags struct {
	kafkaFlags
	fromStart bool
	untilEnd  bool
	count     int
}

func newTail(env *environment) *cobra.Command {
	var f tailFlags
	c := &cobra.Command{
		Use:   "tail [TOPIC…]",
		Short: "Print decoded records as JSON lines",
		Long: `Print records as JSON, one a line: topic, partition, offset, timestamp, key,
headers, value. Only committed records are shown, and nothing is remembered in
Kafka. Without a topic all domain topics are followed; a short name stands for
a topic: raw, session, check, aml, renewal, resource, hydrate, hydrate.wait,
disposition, deadletter.

Kafka is at --brokers, else in the configuration of --config, else at
$KYCBRIDGE_KAFKA, else at ` + defaultKafka + `.`,
		Example: `  kycbridge tail                                 new events of all domain topics
  kycbridge tail check --from-start --until-end  every check event there is
  kycbridge tail disposition --count 10          what became of the next ten deliveries
  kycbridge tail session | jq .value.decision`,
		ValidArgsFunction: completeTopics,
		RunE:              func(c *cobra.Command, args []string) error { return tail(c.Context(), env, f, args) },
	}
	f.kafkaFlags.bind(c)
	c.Flags().BoolVar(&f.fromStart, "from-start", false, "begin with the oldest record; without it, only what comes")
	c.Flags().BoolVar(&f.untilEnd, "until-end", false, "stop at the end the topics have now; implies --from-start")
	c.Flags().IntVar(&f.count, "count", 0, "stop after so many records; 0 means never")
	return c
}

func completeTopics(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return shortNames(), cobra.ShellCompDirectiveNoFileComp
}

func tail(ctx context.Context, env *environment, f tailFlags, names []string) error {
	if f.count < 0 {
		return usagef("--count is %d; it is 0 or more", f.count)
	}
	o, err := f.kafka(env, "tail")
	if err != nil {
		return err
	}
	bases, err := topicBases(names, o.TopicPrefix)
	if err != nil {
		return err
	}
	p := &printer{out: env.stdout, format: jsonLine, prefix: o.TopicPrefix, left: f.count, counted: f.count > 0}
	if f.untilEnd {
		err = scanAll(ctx, o, bases, p)
	} else {
		err = follow(ctx, o, bases, f.fromStart, p)
	}
	if errors.Is(err, errEnough) || ctx.Err() != nil {
		return nil
	}
	return readTrouble(o, err)
}

// topicBases finds the topics a person named: shortly, by base name or in full.
func topicBases(names []string, prefix string) ([]string, error) {
	var bases []string
	for _, t := range schemas.Topics() {
		if len(names) == 0 && t.Domain {
			bases = append(bases, t.Base)
		}
	}
	for _, name := range names {
		base := ""
		for _, t := range schemas.Topics() {
			if name == shortName(t) || name == t.Base || name == t.Name(prefix) {
				base = t.Base
			}
		}
		if base == "" {
			return nil, usagef("there is no topic %q; use %s, or a full name such as %s%s", name, strings.Join(shortNames(), ", "), prefix, schemas.Session)
		}
		bases = append(bases, base)
	}
	return bases, nil
}

func shortName(t schemas.Topic) string { return strings.TrimSuffix(t.Base, ".v1") }

func shortNames() []string {
	var names []string
	for _, t := range schemas.Topics() {
		names = append(names, shortName(t))
	}
	return names
}

// follow prints until ctx ends or the printer has enough.
func follow(ctx context.Context, o sink.Options, bases []string, fromStart bool, p *printer) error {
	f, err := sink.OpenFollower(ctx, o, bases, fromStart)
	if err != nil {
		return err
	}
	defer f.Close()
	for ctx.Err() == nil {
		records, err := f.Poll(ctx, 500)
		for _, r := range records {
			if err := p.print(r); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scanAll prints each topic, partition by partition, up to its present end.
func scanAll(ctx context.Context, o sink.Options, bases []string, p *printer) error {
	reader, err := sink.OpenReader(ctx, o)
	if err != nil {
		return err
	}
	defer reader.Close()
	for _, base := range bases {
		partitions, _, err := reader.Partitions(ctx, base)
		if err != nil {
			return err
		}
		for n := range int32(partitions) {
			if _, err := reader.Scan(ctx, base, n, sink.Start{Offset: -1}, p.print); err != nil {
				return err
			}
		}
	}
	return nil
}

var errEnough = errors.New("as many records as asked for are printed")

// printer writes records, and says errEnough after the last one asked for.
type printer struct {
	out     io.Writer
	format  func(r *kgo.Record, prefix string) []byte
	prefix  string
	left    int
	counted bool
}

func (p *printer) print(r *kgo.Record) error {
	if _, err := p.out.Write(p.format(r, p.prefix)); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	if p.left--; p.counted && p.left <= 0 {
		return errEnough
	}
	return nil
}
