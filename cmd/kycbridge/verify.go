package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/operate"
)

// exitUnchecked is the code of a `verify` that could not check.
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
		Long: `Hold the raw records of a time range against the other topics: each has exactly one
final disposition, what the disposition names is there, nothing stands twice, and the
events of a subject are in order. Nothing is changed, and nothing is remembered in
Kafka. It may run beside everything else: what was not processed when it began is
counted as pending.

Without --since and --until all raw records that Kafka still holds are checked.
` + windowHelp + `

The table is for people; --json prints one JSON document. Both list the first
violations by the position of the raw record, which ` + "`kycbridge trace PARTITION@OFFSET`" + `
explains. Who sends deliveries knows more than the topics do: O1 and O3 need a sender's
ledger and are checked in the tests of this program.

The exit code is 0 where nothing is wrong, 1 with violations, 2 where it could not be
checked.

Kafka is at --brokers, else in the configuration of --config, else at
$KYCBRIDGE_KAFKA, else at ` + operate.DefaultKafka + `.`,
		Example: `  kycbridge verify                                  all there is
  kycbridge verify --since 24h --config kycbridge.yaml
  kycbridge verify --since 2026-01-01 --until 2026-01-02 --json | jq '.checks[] | {check, violations}'`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return verify(c.Context(), env, f) },
	}
	f.kafkaFlags.bind(c)
	c.Flags().StringVar(&f.from, "since", "", "check raw records from this TIME on")
	c.Flags().StringVar(&f.to, "until", "", "check raw records before this TIME")
	c.Flags().BoolVar(&f.json, "json", false, "one JSON document")
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
		return &codedError{exitUnchecked, errors.New("interrupted: nothing is known")}
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
