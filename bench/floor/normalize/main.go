// Command normalize is the floor of `kycbridge normalize`: the work that no exactly-once consumer
// of this contract can leave out, and nothing else. It reads raw records in a group, takes the JSON
// apart, claims each delivery in Redis, writes one domain event for it, and commits events and
// offsets in one transaction.
//
// It validates nothing, maps no vendor's words, writes no dispositions, no headers and no dead
// letters, repairs nothing, and trusts its own claims after a crash; so it is no normaliser.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	ttl   = 16 * 24 * 3600 // seconds, as the product's default
	batch = 500            // records in one transaction, as the product's default
)

type settings struct {
	kafka, redis, in, out, group string
	slots                        int
}

func main() {
	var s settings
	flag.StringVar(&s.kafka, "kafka", "", "host:port of a broker")
	flag.StringVar(&s.redis, "redis", "", "host:port")
	flag.StringVar(&s.in, "in", "", "raw topic")
	flag.StringVar(&s.out, "out", "", "topic of events")
	flag.StringVar(&s.group, "group", "", "consumer group, in front of transactional ids and claims too")
	flag.IntVar(&s.slots, "slots", 1, "sessions side by side")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, s); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "floor normalize:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	store := redis.NewClient(&redis.Options{Addr: s.redis})
	defer store.Close()
	group, ctx := errgroup.WithContext(ctx)
	for n := range s.slots {
		group.Go(func() error {
			session, err := open(s, n)
			if err != nil {
				return err
			}
			defer session.Close()
			for ctx.Err() == nil {
				if err := step(ctx, s, session, store); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func open(s settings, slot int) (*kgo.GroupTransactSession, error) {
	return kgo.NewGroupTransactSession(
		kgo.SeedBrokers(s.kafka), kgo.ConsumerGroup(s.group), kgo.ConsumeTopics(s.in),
		kgo.TransactionalID(fmt.Sprintf("%s-%d", s.group, slot)), kgo.DefaultProduceTopic(s.out),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0), // from here on as the product
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.FetchMaxBytes(2<<20),
	)
}

// step takes one batch through a transaction.
func step(ctx context.Context, s settings, session *kgo.GroupTransactSession, store *redis.Client) error {
	fetches := session.PollRecords(ctx, batch)
	if err := fetches.Err0(); err != nil {
		return err
	}
	records := fetches.Records()
	if len(records) == 0 {
		return nil
	}
	events := make([]*kgo.Record, len(records))
	pipe := store.Pipeline()
	claims := make([]*redis.Cmd, len(records))
	for i, r := range records {
		event, id, err := read(r)
		if err != nil {
			return fmt.Errorf("%s[%d]@%d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		key := sha256.Sum256([]byte(id))
		claims[i] = pipe.Do(ctx, "set", s.group+string(key[:]), fmt.Sprint(r.Partition, r.Offset), "nx", "get", "ex", ttl)
		events[i] = event
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	if err := session.Begin(); err != nil {
		return err
	}
	for i, event := range events {
		if errors.Is(claims[i].Err(), redis.Nil) { // nobody had it
			session.Produce(ctx, event, nil)
		}
	}
	_, err := session.End(ctx, kgo.TryCommit)
	return err
}

// read makes the event of one raw record.
func read(r *kgo.Record) (*kgo.Record, string, error) {
	envelope := &kycv1.RawEnvelope{}
	if err := proto.Unmarshal(r.Value, envelope); err != nil {
		return nil, "", err
	}
	var body struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Payload struct {
			ID     json.RawMessage `json:"id"`
			Status json.RawMessage `json:"status"`
		} `json:"payload"`
	}
	if err := json.Unmarshal(envelope.GetBody(), &body); err != nil {
		return nil, "", err
	}
	value, err := proto.Marshal(&kycv1.CheckEvent{
		Metadata: &kycv1.EventMetadata{
			EventId: body.ID, Provider: envelope.GetProvider(), Endpoint: envelope.GetEndpoint(), Tenant: envelope.GetTenant(),
			Environment: envelope.GetEnvironment(), VendorEventId: body.ID, VendorEventType: body.Type,
			Subject: &kycv1.Subject{CheckId: string(body.Payload.ID)}, ReceivedAt: envelope.GetReceivedAt(),
			Raw: &kycv1.RawPosition{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset},
		},
		VendorResult: string(body.Payload.Status),
	})
	return &kgo.Record{Key: r.Key, Value: value}, body.ID, err
}
