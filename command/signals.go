package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// untilSignal returns a context that ends with the first SIGINT or SIGTERM, for a
// graceful shutdown. A second one ends the process at once, for a person who does not
// want to wait; nothing acknowledged is lost.
func untilSignal(parent context.Context, program string, stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case _, ok := <-signals:
			if !ok {
				return
			}
		case <-ctx.Done():
			return
		}
		fmt.Fprintln(stderr, program+": shutting down; a second signal stops at once")
		cancel()
		if s, ok := <-signals; ok {
			fmt.Fprintf(stderr, "%s: stopped at once (%s)\n", program, s)
			os.Exit(130)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
		close(signals)
	}
}
