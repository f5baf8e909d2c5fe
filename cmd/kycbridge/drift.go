package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/operate"
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
$KYCBRIDGE_KAFKA, else at ` + operate.DefaultKafka + `.`,
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
	s, err := f.servers(env, "drift")
	if err != nil {
		return err
	}
	q := operate.DriftQuery{Since: time.Now().Add(-f.since), Vendors: vendors}
	if f.fromStart {
		q.Since = time.Time{}
	}
	show, end := env.progress()
	q.Progress = show
	report, err := operate.Drift(ctx, s, q)
	end()
	switch {
	case report == nil || err != nil && ctx.Err() == nil:
		return explainKafka(s, err)
	case err != nil:
		err = errors.New("interrupted: the report holds what was read before")
	}
	return errors.Join(err, printDrift(env, report, f.json))
}

func printDrift(env *environment, r *audit.DriftReport, asJSON bool) error {
	if !asJSON {
		if err := writeDrift(env.stdout, r); err != nil {
			return err
		}
		_, err := io.WriteString(env.stdout, driftSummary(r))
		return err
	}
	fmt.Fprint(env.stderr, driftSummary(r))
	for _, entry := range r.Entries {
		if err := writeLine(env.stdout, entry); err != nil {
			return err
		}
	}
	return nil
}
