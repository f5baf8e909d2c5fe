package command

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/kycbridge/kycbridge/internal/serve"
	"github.com/kycbridge/kycbridge/providers"
)

// environment is everything outside its own flags that a command may touch. Tests pass
// their own, so that a whole command runs inside one test.
type environment struct {
	program        string  // its name, in help and errors
	invocation     string  // how it can be called again
	vendors        vendors // as they were handed in; run checks and sorts them
	stdout, stderr io.Writer
	lookup         func(name string) (string, bool) // variables
	hostname       func() (string, error)
	terminal       bool // a person watches stderr: text logs, progress bars
	shown          bool // a terminal shows stdout
	// screen is stderr as it is, for lines that move its cursor; bytes is stdout for what
	// another program reads, as it is unless a terminal shows it. Run sets both, and lets
	// stdout and stderr escape what does not print.
	screen, bytes io.Writer
	// painted is stdout as it is, for lines that were escaped before they were coloured; width gives how many
	// columns the terminal behind it has. Both are nil where no terminal shows it or it is to stay plain.
	painted io.Writer
	width   func() int
	// started, when set, is called with the addresses of a process that serves.
	started func(serve.Addresses)
}

func osEnvironment(all []providers.Provider) environment {
	name, again := callee(os.Args)
	env := environment{
		program:    name,
		invocation: again,
		vendors:    all,
		stdout:     os.Stdout,
		stderr:     os.Stderr,
		lookup:     os.LookupEnv,
		hostname:   os.Hostname,
		terminal:   term.IsTerminal(int(os.Stderr.Fd())),
		shown:      term.IsTerminal(int(os.Stdout.Fd())),
	}
	if env.shown && env.variable("NO_COLOR", "") == "" && env.variable("TERM", "dumb") != "dumb" {
		env.width = func() int {
			columns, _, err := term.GetSize(int(os.Stdout.Fd()))
			if err != nil {
				return 0
			}
			return columns
		}
	}
	return env
}

// escape is the environment whose outputs escape what does not print. At the end of the
// process, end writes what they still hold.
func (env environment) escape() (safe environment, end func()) {
	out, errs := newPrintable(env.stdout), newPrintable(env.stderr)
	env.bytes, env.screen = env.stdout, env.stderr
	if env.shown {
		env.bytes = out
	}
	if env.width != nil {
		env.painted = env.stdout
	}
	env.stdout, env.stderr = out, errs
	return env, func() { out.end(); errs.end() }
}

// variable returns a variable, or fallback where it is unset or empty.
func (env environment) variable(name, fallback string) string {
	if v, ok := env.lookup(name); ok && v != "" {
		return v
	}
	return fallback
}
