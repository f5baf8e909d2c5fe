package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kycbridge/kycbridge/internal/serve"
	"github.com/kycbridge/kycbridge/providers"
)

// Exit codes: 1, something failed; 2, the command line is wrong, or the program was put
// together wrongly: starting it again does not help.
const (
	exitFailed = 1
	exitUsage  = 2
)

// run is the whole program without its process: it returns the exit code, and prints
// one line on failure.
func run(ctx context.Context, args []string, env environment) int {
	env, end := env.escape()
	defer end()
	var err error
	if env.vendors, err = providers.Catalogue(env.vendors); err != nil {
		fmt.Fprintf(env.stderr, "%s: was built with a list of vendors that cannot be used: %s\n", env.program, oneLine(err))
		return exitUsage
	}
	root := newRoot(&env)
	rename := renamer(root)
	renameHelp(root, func(text string) string { return env.vendors.inExamples(rename(text)) })
	root.SetArgs(args)
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	if err = root.ExecuteContext(ctx); err == nil {
		return 0
	}
	fmt.Fprintf(env.stderr, "%s: %s\n", env.program, rename(oneLine(err)))
	if usage := (*usageError)(nil); errors.As(err, &usage) || strings.HasPrefix(err.Error(), "unknown command") {
		return exitUsage
	}
	if coded := (*codedError)(nil); errors.As(err, &coded) {
		return coded.code
	}
	return exitFailed
}

// codedError ends the program with an exit code of its own.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

func newRoot(env *environment) *cobra.Command {
	root := &cobra.Command{
		Use:   env.program,
		Short: "Identity-verification webhooks into Kafka, exactly once",
		Long: `kycbridge receives identity-verification webhooks over HTTP, stores each unchanged
in a raw Kafka topic, and turns it into typed protobuf events, exactly once.

Vendors: ` + env.vendors.list() + `.`,
		Example: `  kycbridge dev --simulate                  everything in one process, with vendors that are played
  kycbridge tail session check              decoded events, as they arrive
  kycbridge send complycube --duplicate 10  one delivery, ten times: one event
  kycbridge all --config deploy/local.yaml  against your own Kafka and Redis`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.Version = versionText(env, serve.ReadBuild())
	root.SetVersionTemplate("{{.Version}}")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see `%s --help`", explainFlag(err), c.CommandPath())}
	})
	root.AddCommand(
		newDev(env),
		newServer(env, serve.All), newServer(env, serve.Ingest), newServer(env, serve.Normalize), newServer(env, serve.Hydrate),
		newTail(env), newVerify(env), newTrace(env), newDrift(env), newSend(env), newDeadletter(env), newReplay(env), newSkip(env), newMarks(env), newTopics(env), newSchema(env), newConfig(env), newHealthcheck(env), newVersion(env),
	)
	return root
}

// explainFlag replaces the parser's message about a flag: what was found, what is
// expected, and an example.
func explainFlag(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	f := invalid.GetFlag()
	want, known := map[string]string{
		"float64":      "a number, such as --%s=20",
		"int":          "a whole number, such as --%s=10",
		"duration":     "a number with its unit, such as --%s=90m",
		"bool":         "true or false, such as --%s=true",
		simulationType: fmt.Sprintf("deliveries per second, up to %d, such as --%%s=20, or chaos with or without a rate, such as chaos:20", maxSimulateRate),
	}[f.Value.Type()]
	if !known {
		return err
	}
	return fmt.Errorf("--%s is %q; expected "+want, f.Name, invalid.GetValue(), f.Name)
}

// usageError marks a command line that is wrong.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// oneLine flattens an error: a message that breaks over lines is lost in logs.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// noArgs refuses arguments with a usage error that names the command's help.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument, got %q; see `%s --help`", c.CommandPath(), args[0], c.CommandPath())
	}
	return nil
}
