package command

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/schemas"
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
		Long: `Print records as JSON, one per line: topic, partition, offset, timestamp, key, headers,
value. It reads at isolation level read_committed and commits no offsets. Without a
topic it follows all domain topics. Short names of topics: raw, session, check, aml,
renewal, resource, hydrate, hydrate.wait, disposition, deadletter; and where events are
written as JSON too (topics.json), session.json and so on: the value is the JSON itself.

` + kafkaHelp,
		Example: `  kycbridge tail                                 new events of all domain topics
  kycbridge tail check --from-start --until-end  every check event
  kycbridge tail disposition --count 10          what became of the next ten deliveries
  kycbridge tail session | jq .value.decision`,
		ValidArgsFunction: completeTopics,
		RunE:              func(c *cobra.Command, args []string) error { return tail(c.Context(), env, f, args) },
	}
	f.kafkaFlags.bind(c)
	c.Flags().BoolVar(&f.fromStart, "from-start", false, "begin with the oldest record (default: only new records)")
	c.Flags().BoolVar(&f.untilEnd, "until-end", false, "stop at the current end of the topics; implies --from-start")
	c.Flags().IntVar(&f.count, "count", 0, "stop after this many records; 0 never stops")
	return c
}

func completeTopics(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return shortNames(), cobra.ShellCompDirectiveNoFileComp
}

func tail(ctx context.Context, env *environment, f tailFlags, names []string) error {
	if f.count < 0 {
		return usagef("--count is %d; expected 0 or more", f.count)
	}
	s, err := f.servers(env, "tail")
	if err != nil {
		return err
	}
	bases, err := topicBases(names, s.Kafka.TopicPrefix)
	if err != nil {
		return err
	}
	n := 0
	for r, err := range operate.Tail(ctx, s, operate.TailQuery{Topics: bases, FromStart: f.fromStart, UntilEnd: f.untilEnd}) {
		if err == nil {
			err = writeLine(env.stdout, r)
		}
		switch n++; {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return explainKafka(s, err)
		case n == f.count:
			return nil
		}
	}
	return nil
}

// topicBases finds the topics that a person named, by short name, base name or in full.
func topicBases(names []string, prefix string) ([]string, error) {
	var bases []string
	for _, t := range schemas.Topics() {
		if len(names) == 0 && t.Domain {
			bases = append(bases, t.Base)
		}
	}
	for _, name := range names {
		base := ""
		for _, t := range nameable() {
			if name == shortName(t) || name == t.Base || name == t.Name(prefix) {
				base = t.Base
			}
		}
		if base == "" {
			return nil, usagef("unknown topic %q; expected %s, or a full name such as %s%s", name, strings.Join(shortNames(), ", "), prefix, schemas.Session)
		}
		bases = append(bases, base)
	}
	return bases, nil
}

// nameable are the topics that can be named.
func nameable() []schemas.Topic { return append(schemas.Topics(), schemas.JSONTopics()...) }

func shortName(t schemas.Topic) string {
	version := ".v1"
	return strings.TrimSuffix(strings.Replace(t.Base, version+".", ".", 1), version)
}

func shortNames() []string {
	var names []string
	for _, t := range nameable() {
		names = append(names, shortName(t))
	}
	return names
}
