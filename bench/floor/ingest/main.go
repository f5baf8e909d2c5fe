// Command ingest is the floor of `kycbridge ingest`: the work that no receiver of signed webhooks
// can leave out, and nothing else. It reads a request once, compares its HMAC, has Kafka acknowledge
// the body with acks=all, and answers 200.
//
// It builds no envelope, keeps no headers, counts nothing, logs nothing and bounds nothing.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	listen := flag.String("listen", "", "host:port to take webhooks on")
	kafka := flag.String("kafka", "", "host:port of a broker")
	topic := flag.String("topic", "", "topic to write to")
	secret := flag.String("secret", "", "of the signature")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *kafka, *topic, []byte(*secret)); err != nil {
		fmt.Fprintln(os.Stderr, "floor ingest:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, kafka, topic string, secret []byte) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(kafka), kgo.DefaultProduceTopic(topic),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0), // as the product
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /hooks/", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(take(r, client, secret))
	})
	server := &http.Server{Addr: listen, Handler: mux}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// take is one webhook; it returns the status to answer with.
func take(r *http.Request, client *kgo.Client, secret []byte) int {
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return http.StatusBadRequest
	}
	claimed, err := hex.DecodeString(r.Header.Get("ComplyCube-Signature"))
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	if err != nil || !hmac.Equal(mac.Sum(nil), claimed) {
		return http.StatusUnauthorized
	}
	acknowledged := make(chan error, 1)
	client.Produce(context.Background(), &kgo.Record{Key: claimed, Value: body}, func(_ *kgo.Record, err error) {
		acknowledged <- err
	})
	if <-acknowledged != nil {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}
