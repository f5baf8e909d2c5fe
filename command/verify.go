package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/operate"
)

// exitUnchecked is the exit code of a `verify` that could not check.
const exitUnchecked = 2

type verifyFlags struct {
	kafkaFlags
	from, to string
	json     bool
}

func newVerify(env *environment) *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "verify",
		Short: "Check that nothing was lost and nothing doubled",
		Long: `Compare the raw records of a time range with the other topics: each record has exactly
one final disposition, everything the disposition names exists, nothing is there twice,
and the events of a subject are in order. The command changes nothing, commits no
offsets, and may run on the live system: records that were not processed when it began
count as pending.

Where there are JSON topics (topics.json), each event is there as often as on its own
topic, and nothing else is (O6). Events before or after all that have their JSON are
counted alone: the setting may have been off. A gap between them is a violation, also
where processes did not have the same setting; a replay that emits the events again
closes it.

Without --since and --until it checks all raw records that Kafka still holds. Of those
that have expired it checks that they were processed, as far back as one retention of the
raw topic before the oldest that is left; --since looks further back.
` + windowHelp + `

It prints a table, or with --json one JSON document. Both list the first violations by
the position of the raw record; look one up with ` + "`kycbridge trace PARTITION@OFFSET`" + `.
O1 and O3 need the sender's ledger, which only the tests of this program have.

Exit codes: 0 nothing wrong, 1 violations, 2 could not check.

` + kafkaHelp,
		Example: `  kycbridge verify                                  the whole raw topic
  kycbridge verify --since 24h --config kycbridge.yaml
  kycbridge verify --since 2026-01-01 --until 2026-01-02 --json | jq '.checks[] | {check, violations}'`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return verify(c.Context(), env, f) },
	}
	f.kafkaFlags.bind(c)
	c.Flags().StringVar(&f.from, "since", "", "check raw records at or after this TIME")
	c.Flags().StringVar(&f.to, "until", "", "check raw records before this TIME")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON document")
	return c
}

func verify(ctx context.Context, env *environment, f verifyFlags) error {
	win, err := parseWindow(f.from, f.to, time.Now())
	if err != nil {
		return err
	}
	s, err := f.servers(env, "verify")
	if err != nil {
		return err
	}
	show, end := env.progress()
	v, err := operate.Verify(ctx, s, operate.VerifyQuery{Window: win, Progress: show})
	end()
	switch {
	case ctx.Err() != nil:
		return &codedError{exitUnchecked, errors.New("interrupted: no result")}
	case err != nil:
		return &codedError{exitUnchecked, fmt.Errorf("cannot check: %w", explainKafka(s, err))}
	}
	if f.json {
		err = writeDocument(env.stdout, v)
	} else {
		err = writeVerdict(env.stdout, v)
	}
	if err != nil {
		return &codedError{exitUnchecked, err}
	}
	if v.Violations() > 0 {
		return &codedError{exitFailed, errors.New(verdictSummary(v))}
	}
	return nil
}
