package command

import (
	"context"
	"errors"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/schemas"
)

type tailFlags struct {
	kafkaFlags
	fromStart bool
	untilEnd  bool
	count     int
	grouped   bool
	group     string
	full      bool
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

With --group it keeps its place in Kafka, as a consumer group of that name (under a topic
prefix of your own: the prefix and that name). The first run begins with the oldest
record, every other where the last one ended, and commands that run at the same time
share the partitions. Offsets are committed once the lines are written: each record is
printed at least once, and again after a kill. Lines that the reader of a pipe did not
read are not printed again: end with --count or --until-end instead of head.

` + kafkaHelp,
		Example: `  kycbridge tail                                 new events of all domain topics
  kycbridge tail check --from-start --until-end  every check event
  kycbridge tail disposition --count 10          what became of the next ten deliveries
  kycbridge tail session | jq .value.decision
  kycbridge tail --full --group export --until-end >>events.jsonl   what came since the last run`,
		ValidArgsFunction: completeTopics,
		RunE: func(c *cobra.Command, args []string) error {
			f.grouped = c.Flags().Changed("group")
			return tail(c.Context(), env, f, args)
		},
	}
	f.kafkaFlags.bind(c)
	c.Flags().BoolVar(&f.fromStart, "from-start", false, "begin with the oldest record (default: only new records)")
	c.Flags().BoolVar(&f.untilEnd, "until-end", false, "stop at the current end of the topics; implies --from-start without --group")
	c.Flags().StringVar(&f.group, "group", "", "consumer group that keeps the place from run to run")
	c.Flags().BoolVar(&f.full, "full", false, "print fields without a value too: unspecified enums, empty texts and lists, false")
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
	if f.grouped && f.fromStart {
		return usagef("--from-start and --group cannot go together: a group begins with the oldest record and goes on where it ended; to begin again, take a group of another name")
	}
	s, err := f.servers(env, "tail")
	if err != nil {
		return err
	}
	if f.grouped {
		if err := s.CheckGroup(f.group); err != nil {
			return usagef("--group is %q: %w", f.group, err)
		}
	}
	bases, err := topicBases(names, s.Kafka.TopicPrefix)
	if err != nil {
		return err
	}
	show := func(r operate.Record) error {
		r.Full = f.full
		return writeLine(env.stdout, r)
	}
	if f.grouped {
		return tailGroup(ctx, s, operate.GroupQuery{Group: f.group, Topics: bases, UntilEnd: f.untilEnd, Most: f.count}, show)
	}
	n := 0
	for r, err := range operate.Tail(ctx, s, operate.TailQuery{Topics: bases, FromStart: f.fromStart, UntilEnd: f.untilEnd}) {
		if err == nil {
			err = show(r)
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

// tailGroup ends well where nobody reads its output any more: the lines that were written are committed.
func tailGroup(ctx context.Context, s operate.Servers, q operate.GroupQuery, show func(operate.Record) error) error {
	signal.Ignore(syscall.SIGPIPE) // it would end the process before the commit
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	err := operate.TailGroup(ctx, s, q, func(r operate.Record) error {
		err := show(r)
		if errors.Is(err, syscall.EPIPE) {
			stop()
		}
		return err
	})
	return explainKafka(s, err)
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
