package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/operate"
)

func newTopics(env *environment) *cobra.Command {
	parent := &cobra.Command{
		Use:     "topics",
		Short:   "Create or check the Kafka topics",
		Example: "  kycbridge topics create --config kycbridge.yaml\n  kycbridge topics check --config kycbridge.yaml",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usagef("expected create or check; see `%s --help`", c.CommandPath())
		},
	}
	parent.AddCommand(
		newTopicsCommand(env, "create", "Create the topics that are missing", createTopics),
		newTopicsCommand(env, "check", "Check that topics and brokers are set up safely", inspectTopics),
	)
	return parent
}

// topicsCheckHelp is the long help of `topics check`.
const topicsCheckHelp = `Check that our topics, Kafka's own topics, the brokers and their features are set up
safely. Each line of the table is "ok", "advice" (nothing is lost, but it could be
better) or "unsafe" (records can be lost or refused). Below the table is the command
that fixes each line that is not ok. The exit code is 1 if anything is unsafe, whatever
topics.safety says.`

type topicsWork func(ctx context.Context, env *environment, s operate.Servers) error

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
			return work(c.Context(), env, operate.FromConfig(cfg))
		},
	}
	bindConfig(c, &file)
	if name == "check" {
		c.Long = topicsCheckHelp
	}
	return c
}

func createTopics(ctx context.Context, env *environment, s operate.Servers) error {
	created, err := operate.CreateTopics(ctx, s)
	for _, name := range created {
		fmt.Fprintln(env.stdout, "created", name)
	}
	if err != nil {
		return err
	}
	if len(created) == 0 {
		fmt.Fprintln(env.stdout, "all topics exist already")
	}
	warnings, err := operate.CheckTopics(ctx, s)
	printWarnings(env.stdout, warnings)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "all %d topics are set up as required\n", len(s.Kafka.Catalogue()))
	return nil
}

// inspectTopics prints every comparison. Only unsafe ones are an error.
func inspectTopics(ctx context.Context, env *environment, s operate.Servers) error {
	findings, err := operate.InspectTopics(ctx, s)
	if err != nil {
		return err
	}
	printFindings(env.stdout, findings)
	unsafe, missing := 0, 0
	for _, f := range findings {
		switch {
		case f.Missing():
			missing++
		case f.Level == operate.FindingUnsafe:
			unsafe++
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d topics are missing: create them with `kycbridge topics create --config FILE`", missing)
	}
	if unsafe > 0 {
		return fmt.Errorf("%d of %d settings are unsafe: the commands above fix them", unsafe, len(findings))
	}
	return nil
}
