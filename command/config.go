package command

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/serve"
)

// usualGrace is the termination grace period that orchestrators, Kubernetes for one,
// give by default.
const usualGrace = 30 * time.Second

// loadConfig reads a configuration with the process's environment.
func loadConfig(env *environment, file string, needs config.Needs) (*config.Config, error) {
	if file == "" {
		return nil, usagef("--config FILE is missing; deploy/local.yaml is an example")
	}
	needs.Vendors = env.vendors
	return config.Load(file, env.lookup, needs)
}

func bindConfig(c *cobra.Command, file *string) {
	c.Flags().StringVarP(file, "config", "c", "", "configuration file (YAML)")
	_ = c.MarkFlagFilename("config", "yaml", "yml")
}

func newConfig(env *environment) *cobra.Command {
	parent := &cobra.Command{
		Use:     "config",
		Short:   "Check a configuration file",
		Example: "  kycbridge config check kycbridge.yaml",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usagef("expected check; see `%s --help`", c.CommandPath())
		},
	}
	check := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a file as `all` reads it, without connecting to anything",
		Long: `Check a file as ` + "`all`" + ` reads it: names, values, variables, secrets, and settings
that depend on each other; then for values that open a door in silence, by the
rules that docs/configuration.md lists. Each problem is one line with file, line
and field, and one run reports them all. The check connects to nothing.`,
		Example: "  kycbridge config check deploy/local.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("%s takes one file; see `%s --help`", c.CommandPath(), c.CommandPath())
			}
			return checkConfig(env, args[0])
		},
	}
	parent.AddCommand(check)
	return parent
}

func checkConfig(env *environment, file string) error {
	c, err := loadConfig(env, file, config.Needs{Ingest: true, Normalize: true, Hydrate: true, Check: true})
	var faults *config.Error
	if errors.As(err, &faults) {
		printWarnings(env.stdout, faults.Warnings)
		lines := faults.Lines()
		for _, line := range lines[:len(lines)-1] {
			fmt.Fprintln(env.stderr, env.program+": "+line)
		}
		return errors.New(lines[len(lines)-1])
	}
	if err != nil {
		return err
	}
	if err := serve.Check(c); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	printWarnings(env.stdout, c.Warnings)
	printGrace(env.stdout, c)
	fmt.Fprintf(env.stdout, "%s is valid: %s, topics %s*, Kafka at %v\n", file, plural(len(c.Endpoints), "endpoint", "endpoints"), c.File.Kafka.TopicPrefix, c.File.Kafka.Brokers)
	return nil
}

func printWarnings(out io.Writer, warnings []string) {
	for _, text := range warnings {
		fmt.Fprintln(out, "warning:", text)
	}
}

// printGrace prints how long a graceful shutdown of each command may take. A kill before
// that cuts answers off.
func printGrace(out io.Writer, c *config.Config) {
	grace := serve.GraceOf(c)
	all := grace.Ingest + grace.Normalize // one after the other
	fmt.Fprintf(out, "grace period: ingest %s, normalize %s, all %s\n", grace.Ingest, grace.Normalize, all)
	if all > usualGrace {
		fmt.Fprintf(out, "warning: orchestrators kill a process after %s by default, and `all` needs up to %s to shut down: raise terminationGracePeriodSeconds, or lower ingest.drain_delay or normalize.shutdown_grace\n", usualGrace, all)
	}
}
