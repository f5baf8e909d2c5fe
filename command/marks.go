package command

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/operate"
)

type marksFlags struct {
	config    string
	partition int32
	yes       bool
	json      bool
}

func newMarks(env *environment) *cobra.Command {
	parent := &cobra.Command{
		Use:     "marks",
		Short:   "Discard deduplication marks after Kafka went back",
		Example: "  kycbridge marks discard --config kycbridge.yaml",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usagef("expected discard; see `%s --help`", c.CommandPath())
		},
	}
	parent.AddCommand(newMarksDiscard(env))
	return parent
}

func newMarksDiscard(env *environment) *cobra.Command {
	var f marksFlags
	c := &cobra.Command{
		Use:   "discard",
		Short: "Believe no mark that Redis holds, and take them from Kafka anew",
		Long: `After Kafka was put back to an earlier copy, Redis still holds marks of deliveries that
Kafka has no longer. A delivery that comes again would be dropped as a copy of one that
is gone, so the normaliser and the hydrate stage stop and name this command.

It has the marks of this deployment's topics believed no more, those of other
deployments in the same Redis left alone, and costs one round trip for each partition
and stage. The stages then write the marks anew that Kafka's dispositions stand for;
the old ones stay until they expire, under keys that nobody asks for.

Nothing in Kafka changes, and running it without need costs a repair, no event. Without
--yes it says what it would do and does nothing.`,
		Example: `  kycbridge marks discard --config kycbridge.yaml
  kycbridge marks discard --config kycbridge.yaml --yes
  kycbridge marks discard --config kycbridge.yaml --partition 3 --yes`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return discardMarks(c.Context(), env, f) },
	}
	bindConfig(c, &f.config)
	c.Flags().Int32Var(&f.partition, "partition", operate.AllPartitions, "only this raw partition (default all)")
	c.Flags().BoolVar(&f.yes, "yes", false, "do it")
	c.Flags().BoolVar(&f.json, "json", false, "print the report as one JSON object")
	return c
}

func discardMarks(ctx context.Context, env *environment, f marksFlags) error {
	c, err := loadConfig(env, f.config, config.Needs{Normalize: true})
	if err != nil {
		return err
	}
	s := operate.FromConfig(c)
	s.Kafka.ClientID = "kycbridge-marks"
	operate.LogTo(slog.New(slog.DiscardHandler))
	report, err := operate.DiscardMarks(ctx, s, operate.MarksQuery{Partition: f.partition, DryRun: !f.yes})
	if report == nil {
		return explainKafka(s, err)
	}
	if f.json {
		if err := writeLine(env.stdout, report); err != nil {
			return err
		}
	} else if err := writeMarks(env.stdout, report, f.config); err != nil {
		return err
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w; repeat the command: what it did before does no harm", err)
	case !f.yes:
		return usagef("nothing is discarded without --yes")
	}
	return nil
}

// marksNext is what comes after the command, with the configuration's file.
const marksNext = `next:
  1. start the stages, or see them go on: they write the marks anew that Kafka's dispositions stand for
  2. have the vendors send again what came since Kafka's copy was made
  3. kycbridge replay --mode fill-gaps --all --dry-run --config %[1]s
     says which raw deliveries have no outcome; without --dry-run it fills them in
  4. kycbridge verify --config %[1]s
     says what is still missing
`

// writeMarks writes a report for a person. file is the configuration's.
func writeMarks(w io.Writer, r *operate.MarksReport, file string) error {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: id %s\n", r.DispositionTopic, r.DispositionID)
	for _, stage := range r.Stages {
		what := fmt.Sprintf("discarded in %d of %d partitions", stage.Discarded, len(r.Partitions))
		if r.DryRun {
			what = "would be discarded in partitions " + strings.Trim(fmt.Sprint(r.Partitions), "[]")
		}
		fmt.Fprintf(&out, "%s, marks of %s (id %s): %s\n", stage.Group, stage.Topic, stage.TopicID, what)
	}
	if !r.DryRun {
		fmt.Fprintf(&out, marksNext, shellWord(file))
	}
	if _, err := io.WriteString(w, out.String()); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}
