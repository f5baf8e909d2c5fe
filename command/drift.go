package command

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
		Short: "List what vendors sent that the mappings do not know",
		Long: `Map the raw deliveries with this version and list what it does not know: event types
without a mapping, unknown status and outcome words, unknown fields, fields of another
JSON type, words and fields that were only inferred until now, reason codes that
were left out. None of it is lost: the deliveries are in the raw topic, and an unknown
word never becomes approved, passed or clear. The command changes nothing and commits
no offsets.

Each line is one unknown thing, the number of deliveries that contain it, and a sample:
topic/partition/offset of a raw record, and its delivery id. A word that may be about
a person, or is not a word at all, is shown as "-" (empty with --json). Look it up in
the sample, which holds personal data.

A customer's reference that left hashed is "reference_hashed". With --config, that is not
said of endpoints with customer_reference: AS_IS.

The exit code is 0 with drift and without.

` + kafkaHelp,
		Example: `  kycbridge drift                         the last 24 hours, all vendors
  kycbridge drift complycube --since 168h one vendor, a week
  kycbridge drift --from-start --json     the whole topic, one JSON object per line`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return env.vendors.names(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			if f.fromStart && c.Flags().Changed("since") {
				return usagef("--since and --from-start exclude each other; give one")
			}
			return drift(c.Context(), env, f, args)
		},
	}
	f.kafkaFlags.bind(c)
	c.Flags().DurationVar(&f.since, "since", 24*time.Hour, "how far back to read")
	c.Flags().BoolVar(&f.fromStart, "from-start", false, "read the whole topic")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object per line, and the summary to standard error")
	return c
}

func drift(ctx context.Context, env *environment, f driftFlags, vendors []string) error {
	if err := env.vendors.check(vendors); err != nil {
		return err
	}
	if f.since <= 0 {
		return usagef("--since is %s; expected more than 0", f.since)
	}
	s, err := f.servers(env, "drift")
	if err != nil {
		return err
	}
	if f.unread != nil { // such as those of a vendor that this binary does not have
		fmt.Fprintln(env.stderr, "kycbridge: references count as hashed at every endpoint, whatever it says, since the endpoints cannot be read: "+oneLine(f.unread))
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
		err = errors.New("interrupted: the report covers what was read so far")
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
