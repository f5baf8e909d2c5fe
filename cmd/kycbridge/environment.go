package main

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/kycbridge/kycbridge/internal/serve"
)

// environment is everything outside the process that a command may touch. Tests pass
// their own, so that a whole command runs inside one test.
type environment struct {
	stdout, stderr io.Writer
	lookup         func(name string) (string, bool) // variables
	hostname       func() (string, error)
	terminal       bool // a person watches stderr: text logs, progress bars
	// started, when set, is called with the addresses of a process that serves.
	started func(serve.Addresses)
}

func osEnvironment() environment {
	return environment{
		stdout:   os.Stdout,
		stderr:   os.Stderr,
		lookup:   os.LookupEnv,
		hostname: os.Hostname,
		terminal: term.IsTerminal(int(os.Stderr.Fd())),
	}
}

// variable returns a variable, or fallback where it is unset or empty.
func (env environment) variable(name, fallback string) string {
	if v, ok := env.lookup(name); ok && v != "" {
		return v
	}
	return fallback
}
