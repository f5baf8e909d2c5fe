// Command kycbridge moves identity-verification webhooks into Kafka: it takes
// them in over HTTP, writes them to a raw topic, and turns each into typed
// events, exactly once.
//
// This package reads flags and configuration and wires the other packages
// together. It holds no rule about webhooks, events or Kafka records; those
// live in ingest, normalize and sink.
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
