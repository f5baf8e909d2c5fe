package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

func newTopics(env *environment) *cobra.Command {
	parent := &cobra.Command{
		Use:     "topics",
		Short:   "Create or check the Kafka topics",
		Example: "  kycbridge topics create --config kycbridge.yaml\n  kycbridge topics check --config kycbridge.yaml",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usagef("say create or check; see `%s --help`", c.CommandPath())
		},
	}
	parent.AddCommand(
		newTopicsCommand(env, "create", "Create the topics that are missing", createTopics),
		newTopicsCommand(env, "check", "Compare topics and brokers with what is safe", inspectTopics),
	)
	return parent
}

// topicsCheckHelp is the long help of `topics check`.
const topicsCheckHelp = `Compare the topics, Kafka's own topics, the brokers and their features with what
is safe. Each line of the table is "ok", "advice" (nothing is lost, but it could
be better) or "unsafe" (records can be lost or refused); what is not ok is
followed by the command that mends it. The exit code is 1 if anything is unsafe,
whatever topics.safety says.`

type topicsWork func(ctx context.Context, env *environment, o sink.Options, s sink.TopicSettings) error

func newTopicsCommand(env *environment, name, short string, work topicsWork) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:     name,
		Short:   short,
		Example: "  kycbridge topics " + name + " --config kycbridge.yaml",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadConfig(env, file, config.Needs{})
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
			defer cancel()
			return work(ctx, env, cfg.KafkaOptions(slog.New(slog.DiscardHandler)), cfg.TopicSettings())
		},
	}
	bindConfig(c, &file)
	if name == "check" {
		c.Long = topicsCheckHelp
	}
	return c
}

func createTopics(ctx context.Context, env *environment, o sink.Options, s sink.TopicSettings) error {
	created, err := sink.CreateTopics(ctx, o, s)
	for _, name := range created {
		fmt.Fprintln(env.stdout, "created", name)
	}
	if err != nil {
		return err
	}
	if len(created) == 0 {
		fmt.Fprintln(env.stdout, "all topics are there already")
	}
	return checkTopics(ctx, env, o, s)
}

func checkTopics(ctx context.Context, env *environment, o sink.Options, s sink.TopicSettings) error {
	warnings, err := sink.CheckTopics(ctx, o, s)
	for _, text := range warnings {
		fmt.Fprintln(env.stdout, "warning:", text)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "%d topics are as they must be\n", len(schemas.Topics()))
	return nil
}
