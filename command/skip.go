package command

import (
	"context"
	"fmt"
	"io"
	"os/user"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/operate"
)

type skipFlags struct {
	config string
	query  operate.SkipQuery
	yes    bool
	json   bool
}

func newSkip(env *environment) *cobra.Command {
	f := skipFlags{query: operate.SkipQuery{Partition: -1, By: userName()}}
	c := &cobra.Command{
		Use:   "skip --partition N --to OFFSET --reason TEXT",
		Short: "Pass over raw deliveries that are not processed yet",
		Long: `Pass over raw deliveries of one partition that the normaliser has not processed, up to
the raw offset --to, which is the first one it then processes. Moving the offset of its
consumer group does not do that: a partition begins behind the last delivery that has a
disposition, whatever the group says.

Each delivery passed over becomes a dead letter SKIPPED_BY_OPERATOR that says who and
why, with a disposition, so ` + "`kycbridge verify`" + ` accounts for it and ` + "`kycbridge trace`" + ` tells.
It makes no claim: a copy that comes later is processed. To process them after all:
` + "`kycbridge deadletter replay --reason skipped_by_operator`" + `.

Stop every process that normalizes first; it refuses while one is a member of the
consumer group. Without --yes it says what it would do and writes nothing. Interrupted,
it leaves whole transactions; repeat the command to go on.`,
		Example: `  kycbridge skip --config kycbridge.yaml --partition 3 --to 18200 --reason 'load test of 2026-05-04'
  kycbridge skip --config kycbridge.yaml --partition 3 --to 18200 --reason 'load test of 2026-05-04' --yes`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runSkip(c.Context(), env, f) },
	}
	bindConfig(c, &f.config)
	c.Flags().Int32Var(&f.query.Partition, "partition", -1, "raw partition")
	c.Flags().Int64Var(&f.query.To, "to", 0, "raw offset to go on at")
	c.Flags().StringVar(&f.query.Reason, "reason", "", "why, in one line; it stands in every dead letter")
	c.Flags().StringVar(&f.query.By, "by", f.query.By, "who decides; it stands in every dead letter")
	c.Flags().BoolVar(&f.yes, "yes", false, "do it")
	c.Flags().BoolVar(&f.json, "json", false, "print the report as one JSON object")
	return c
}

// userName is the user that runs the program; "" where the system does not say.
func userName() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

func runSkip(ctx context.Context, env *environment, f skipFlags) error {
	if err := f.query.Validate(); err != nil {
		return usagef("%w; --partition, --to and --reason are needed, and --by where the system names no user", err)
	}
	c, _, err := loadForTopics(env, f.config)
	if err != nil {
		return err
	}
	s := operate.FromConfig(c)
	s.Kafka.ClientID = "kycbridge-skip"
	f.query.DryRun = !f.yes
	report, err := operate.Skip(ctx, s, f.query)
	if report == nil {
		return explainKafka(s, err)
	}
	if f.json {
		if err := writeLine(env.stdout, report); err != nil {
			return err
		}
	} else if err := writeSkip(env.stdout, env.program, report, f.config); err != nil {
		return err
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w; repeat the command to go on", explainKafka(s, err))
	case !f.yes:
		return usagef("nothing is written without --yes")
	}
	return nil
}

// writeSkip writes a report for a person. program is this one, file the configuration's.
func writeSkip(w io.Writer, program string, r *operate.SkipReport, file string) error {
	verb := "passed over"
	if r.DryRun {
		verb = "would be passed over"
	}
	text := fmt.Sprintf("raw partition %d: %d deliveries from offset %d on %s; the normaliser goes on at %d\n", r.Partition, r.Skipped, r.From, verb, r.To)
	if r.Skipped > 0 {
		text += fmt.Sprintf("received between %s and %s\n", moment(r.First), moment(r.Last))
	}
	if r.DryRun && r.Members > 0 {
		text += fmt.Sprintf("the normaliser's group has %d member(s): stop them first\n", r.Members)
	}
	if !r.DryRun && r.Skipped > 0 {
		text += "to process them after all: " + program + " deadletter replay --reason skipped_by_operator --config " + shellWord(file) + "\n"
	}
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}
