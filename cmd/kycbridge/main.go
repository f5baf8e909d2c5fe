// Command kycbridge moves identity-verification webhooks into Kafka: it receives
// them over HTTP, writes them to a raw topic, and turns each into typed events,
// exactly once.
//
// This package is flags in and printing out: one file for each subcommand, which
// reads its flags, calls a function of internal/serve, dev, operate or simulate, and
// prints what that returns. It wires nothing, keeps nothing while it runs, and holds no
// rule about webhooks, events or Kafka records.
package main

import (
	"context"
	"os"
)

func main() {
	profiled := startProfile()
	ctx, stop := untilSignal(context.Background(), os.Stderr)
	code := run(ctx, os.Args[1:], osEnvironment())
	stop()
	profiled()
	os.Exit(code)
}
