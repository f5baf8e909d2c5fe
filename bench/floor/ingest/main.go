// Command ingest is the floor of `kycbridge ingest`: a straight program that makes of the benchmark's
// webhooks the same raw records, byte for byte but for ids and times, gives the same answers, and has
// nothing around it. It reads a body once and up to a limit, compares its HMAC, seals it into an
// envelope, has Kafka acknowledge that with acks=all, and answers.
//
// It is no receiver. It knows one endpoint of one vendor with one secret, and bodies that are JSON and
// whose length is announced. It admits any number of requests, waits for anything as long as it takes,
// counts and logs nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// garbage is how far the heap may grow before it is collected, in percent of what is in use. That is
// next to nothing here, so with the default of 100 a tenth of the processor's time would go into
// collecting, over and over, and the floor would be higher for doing less. It stays below what the
// product may hold.
const garbage = 400

func main() {
	listen := flag.String("listen", "", "host:port to take webhooks on")
	kafka := flag.String("kafka", "", "host:port of a broker")
	topic := flag.String("topic", "", "topic to write to")
	secret := flag.String("secret", "", "of the signature")
	flag.Parse()
	debug.SetGCPercent(garbage)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *kafka, *topic, []byte(*secret)); err != nil {
		fmt.Fprintln(os.Stderr, "floor ingest:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, kafka, topic string, secret []byte) error {
	client, err := kgo.NewClient(append(options(), kgo.SeedBrokers(kafka), kgo.DefaultProduceTopic(topic))...)
	if err != nil {
		return err
	}
	defer client.Close()
	server := &http.Server{Addr: listen, Handler: &receiver{log: client, secret: secret}}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// options are those of the product's producer, but for what it needs to watch the client.
func options() []kgo.Opt {
	return []kgo.Opt{
		kgo.ClientID("kycbridge"), kgo.DialTimeout(5 * time.Second), kgo.AlwaysRetryEOF(), kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.RetryBackoffFn(func(tries int) time.Duration { return min(time.Second, 50*time.Millisecond<<min(tries-1, 5)) }),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProduceRequestTimeout(3 * time.Second), kgo.RequestTimeoutOverhead(2 * time.Second),
		kgo.RecordDeliveryTimeout(14 * time.Second), kgo.ProducerBatchMaxBytes(4 << 20),
		kgo.MaxBufferedRecords(10_000), kgo.MaxBufferedBytes(64 << 20), kgo.WithCompressor(newCompressor()),
	}
}
