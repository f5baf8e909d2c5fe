package command

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/normalize/replay"
)

func newLetterReplay(env *environment) *cobra.Command {
	var f letterFlags
	var r replayFlags
	c := &cobra.Command{
		Use:   "replay [ID…]",
		Short: "Replay the deliveries of dead letters",
		Long: `Map the raw deliveries of the chosen dead letters again with the current mappings, as
` + "`kycbridge replay --mode fill-gaps`" + ` does. Events that come out are published once,
labelled. A delivery that was published meanwhile, or that is still a dead letter for
the same reason, is left alone. --all chooses every letter.

Letters are kept longer than raw records. Where the raw record is gone, its copy in the
letter is replayed, unless the delivery needs a vendor's API.

` + idsHelp,
		Example: `  kycbridge deadletter replay --reason unmapped --vendor complycube --dry-run -c kycbridge.yaml
  kycbridge deadletter replay 3@17 3@21 -c kycbridge.yaml`,
		RunE: func(c *cobra.Command, args []string) error { return replayLetters(c.Context(), env, f, r, args) },
	}
	r.bind(c)
	f.bindFilters(c)
	c.Flags().BoolVar(&r.all, "all", false, "every dead letter")
	return c
}

func replayLetters(ctx context.Context, env *environment, f letterFlags, r replayFlags, ids []string) error {
	narrowed := len(ids)+len(f.reasons)+len(f.vendors)+len(f.endpoints) > 0 || f.since != "" || f.until != ""
	if narrowed == r.all {
		return usagef("choose dead letters: ids, --reason, --vendor, --endpoint, --since, --until, or --all")
	}
	q, err := f.query(env, ids)
	if err != nil {
		return err
	}
	r.mode = string(replay.FillGaps)
	r.resume = r.letterReplayCommand(f, ids, time.Now())
	return runReplay(ctx, env, r, func(ctx context.Context, s operate.Servers, how operate.ReplayQuery) (*replay.Report, error) {
		return operate.ReplayLetters(ctx, s, q, how)
	})
}
