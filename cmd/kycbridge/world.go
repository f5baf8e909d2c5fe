package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// world is what a command may touch of its surroundings. Tests hand in their
// own, so that a whole command runs inside one test.
type world struct {
	stdout, stderr io.Writer
	lookup         func(name string) (string, bool) // environment
	hostname       func() (string, error)
	terminal       bool // a person watches stderr: text logs, progress bars
	// started, when set, is told the addresses a server really listens on.
	started func(addresses)
}

// addresses are the listeners of a running server; empty where it has none.
type addresses struct {
	Hooks, Kafka, Admin string
	Redis               string // of `dev`
	Certificate         string // of HTTPS at Hooks; "" for plain HTTP
}

func osWorld() world {
	return world{
		stdout:   os.Stdout,
		stderr:   os.Stderr,
		lookup:   os.LookupEnv,
		hostname: os.Hostname,
		terminal: term.IsTerminal(int(os.Stderr.Fd())),
	}
}

// env returns a variable, or fallback where it is unset or empty.
func (w world) env(name, fallback string) string {
	if v, ok := w.lookup(name); ok && v != "" {
		return v
	}
	return fallback
}
