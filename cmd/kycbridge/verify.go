package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/sink"
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
$KYCBRIDGE_KAFKA, else at ` + defaultKafka + `.`,
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
	now := time.Now()
	win, err := parseWindow(f.from, f.to, now)
	if err != nil {
		return err
	}
	o, err := f.kafka(env, "verify")
	if err != nil {
		return err
	}
	v, err := readVerdict(ctx, env, o, win, now)
	switch {
	case ctx.Err() != nil:
		return &codedError{exitUnchecked, errors.New("interrupted: nothing is known")}
	case err != nil:
		return &codedError{exitUnchecked, fmt.Errorf("cannot check: %w", readTrouble(o, err))}
	}
	if f.json {
		err = v.WriteJSON(env.stdout)
	} else if err = v.WriteTable(env.stdout); err == nil {
		_, err = fmt.Fprintf(env.stdout, "\n%s\n", v.Summary())
	}
	if err != nil {
		return &codedError{exitUnchecked, err}
	}
	if v.Violations() > 0 {
		return &codedError{exitFailed, errors.New(v.Summary())}
	}
	return nil
}

func readVerdict(ctx context.Context, env *environment, o sink.Options, win window, now time.Time) (*audit.Verdict, error) {
	reader, err := openTopics(ctx, o)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	e := evidenceReader{reader: reader, now: now}
	if err := e.collect(ctx, win); err != nil {
		return nil, err
	}
	show, end := env.progress()
	defer end()
	v, err := audit.Verify(ctx, e.evidence, audit.VerifyOptions{Progress: show})
	if err != nil {
		return nil, err
	}
	v.Notes = append(v.Notes, e.notes...)
	if v.Raw == 0 {
		v.Notes = append(v.Notes, "there is no processed raw record in the range: nothing was checked")
	}
	return v, nil
}
