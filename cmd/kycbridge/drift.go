package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

type driftFlags struct {
	kafkaFlags
	since     time.Duration
	fromStart bool
	json      bool
}

func newDrift(env *environment) *cobra.Command {
	var f driftFlags
	c := &cobra.Command{
		Use:   "drift [VENDOR…]",
		Short: "What vendors sent that the mappings do not know",
		Long: `Read the raw deliveries again, as this version understands them, and list what is
new: event types without a mapping, unknown words of statuses and outcomes,
unknown fields, reason codes that were left out. Nothing of it is lost: the
deliveries are in the raw topic, and an unknown word is never approved, passed or
clear. Nothing is changed, and nothing is remembered in Kafka.

Each line is one thing, with the number of deliveries it stood in and one of them
as a sample: topic/partition/offset of its raw record, and its delivery id. A word
that does not look like one, or may be about a person, is shown as "-" (an empty
word with --json); look at the sample, which holds personal data.

The exit code is 0 whether or not there is drift.

Kafka is at --brokers, else in the configuration of --config, else at
$KYCBRIDGE_KAFKA, else at ` + defaultKafka + `.`,
		Example: `  kycbridge drift                         the last 24 hours, all vendors
  kycbridge drift complycube --since 168h one vendor, a week
  kycbridge drift --from-start --json     all there is, one JSON object a line`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return vendorNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			if f.fromStart && c.Flags().Changed("since") {
				return usagef("--since and --from-start say two different things; give one")
			}
			return drift(c.Context(), env, f, args)
		},
	}
	f.kafkaFlags.bind(c)
	c.Flags().DurationVar(&f.since, "since", 24*time.Hour, "how far back to read")
	c.Flags().BoolVar(&f.fromStart, "from-start", false, "read all there is")
	c.Flags().BoolVar(&f.json, "json", false, "one JSON object a line; the summary goes to standard error")
	return c
}

func drift(ctx context.Context, env *environment, f driftFlags, vendors []string) error {
	if err := checkVendors(vendors); err != nil {
		return err
	}
	if f.since <= 0 {
		return usagef("--since is %s; it must be more than 0", f.since)
	}
	o, err := f.kafka(env, "drift")
	if err != nil {
		return err
	}
	start := sink.Start{Time: time.Now().Add(-f.since)}
	if f.fromStart {
		start = sink.Start{Offset: -1}
	}
	report, err := readDrift(ctx, env, o, start, vendors)
	switch {
	case report == nil || err != nil && ctx.Err() == nil:
		return readTrouble(o, err)
	case err != nil:
		err = errors.New("interrupted: the report holds what was read before")
	}
	return errors.Join(err, printDrift(env, report, f.json))
}

// readDrift connects and makes the report; without a connection there is none.
func readDrift(ctx context.Context, env *environment, o sink.Options, from sink.Start, vendors []string) (*audit.DriftReport, error) {
	reads, err := newReads()
	if err != nil {
		return nil, err
	}
	reader, err := openTopics(ctx, o)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	d := driftReader{reads}
	raw, err := reader.source(ctx, schemas.Raw, audit.Start(from), d.rawReading)
	if err != nil {
		return nil, err
	}
	tasks, err := reader.source(ctx, schemas.Hydrate, audit.Start(from), d.taskReading)
	if err != nil {
		return nil, err
	}
	show, end := env.progress()
	defer end()
	return audit.Drift(ctx, []audit.Source{raw, tasks}, audit.DriftOptions{Vendors: vendors, Progress: show})
}

func printDrift(env *environment, r *audit.DriftReport, asJSON bool) error {
	if asJSON {
		fmt.Fprint(env.stderr, r.Summary())
		return r.WriteJSON(env.stdout)
	}
	if err := r.WriteTable(env.stdout); err != nil {
		return err
	}
	_, err := io.WriteString(env.stdout, r.Summary())
	return err
}
