// Command pair is the embedded Kafka and Redis of `kycbridge dev` in a process of their own, so
// that what they cost is not counted as the product's. It prints their addresses as one line of
// JSON and runs until SIGTERM.
//
// It is for benchmarks on a machine without a Kafka; figures that count come from a real one.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/kycbridge/kycbridge/embedded"
)

func main() {
	data := flag.String("data", "", "folder for the broker's data (required)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, *data); err != nil {
		fmt.Fprintln(os.Stderr, "pair:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, data string) (err error) {
	if data == "" {
		return errors.New("--data is required: a folder for the broker's data")
	}
	services, err := embedded.Start(ctx, embedded.Options{DataDir: data, KafkaAddr: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, services.Close()) }()
	addresses := map[string]string{"kafka": services.Brokers()[0], "redis": services.RedisAddr()}
	if err := json.NewEncoder(os.Stdout).Encode(addresses); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
