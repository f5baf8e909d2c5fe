// Command accounts reads what identity verifications came to, and stores each decision once with what to do
// about it.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"buf.build/go/protovalidate"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// batch is how many records are stored between two chances for the group to move partitions.
const batch = 500

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

func setting(variable, otherwise string) string { return cmp.Or(os.Getenv(variable), otherwise) }

func run(ctx context.Context) error {
	topic := setting("KYC_TOPIC", "kyc.session.v1")
	db, err := open(setting("KYC_DB", "accounts.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	options := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(setting("KYC_BROKERS", "127.0.0.1:9092"), ",")...),
		kgo.ConsumerGroup(setting("KYC_GROUP", "accounts")),
		kgo.ConsumeTopics(topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // else events of aborted transactions show
		kgo.DisableAutoCommit(),                      // the offsets are in the database
		kgo.AdjustFetchOffsetsFn(db.adjust),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.BlockRebalanceOnPoll(), // what was polled is stored before another member gets its partition
	}
	untilEnd := os.Getenv("KYC_UNTIL_END") == "1"
	if untilEnd {
		options = append(options, kgo.KeepControlRecords()) // the last entry of a partition may be a marker
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	c := &consumer{db: db, sandboxToo: os.Getenv("KYC_SANDBOX") == "1"}
	if untilEnd {
		if c.left, err = distance(ctx, client, db, topic); err != nil {
			return err
		}
	}
	for !untilEnd || len(c.left) > 0 {
		fetches := client.PollRecords(ctx, batch)
		if err := fetches.Err(); err != nil {
			return err
		}
		for record := range fetches.RecordsAll() {
			if err := c.handle(ctx, record); err != nil {
				return err
			}
		}
		client.AllowRebalance()
	}
	return nil
}

// distance says where each partition ends that is not yet read to its end, as far as its transactions are decided.
func distance(ctx context.Context, client *kgo.Client, db *database, topic string) (map[int32]int64, error) {
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	ends, err := admin.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	left := map[int32]int64{}
	for p, end := range ends[topic] {
		next, known, err := db.next(ctx, topic, p)
		if err := errors.Join(err, end.Err, starts[topic][p].Err); err != nil {
			return nil, err
		}
		if !known {
			next = starts[topic][p].Offset
		}
		if next < end.Offset {
			left[p] = end.Offset
		}
	}
	return left, nil
}

type consumer struct {
	db         *database
	sandboxToo bool
	left       map[int32]int64 // the ends of partitions that are not yet reached
}

// handle stores a record and the offset after it in one transaction: killed at any moment, it is stored once.
func (c *consumer) handle(ctx context.Context, r *kgo.Record) error {
	if end, ok := c.left[r.Partition]; ok && r.Offset+1 >= end {
		defer delete(c.left, r.Partition)
	}
	if r.Attrs.IsControl() {
		return nil
	}
	var decided *verdict
	err := c.db.transaction(ctx, func(tx *transaction) (err error) {
		decided, err = c.apply(tx, r)
		tx.moveTo(r.Topic, r.Partition, r.Offset+1) // of duplicates and rejects too
		return err
	})
	if err != nil {
		return fmt.Errorf("store %s %d@%d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	if decided != nil {
		fmt.Println(decided)
	}
	return nil
}

// apply gives what was decided; nil where nothing is, or nothing new.
func (c *consumer) apply(tx *transaction, r *kgo.Record) (*verdict, error) {
	id := header(r, "ce_id")
	if id == "" {
		tx.reject(r.Topic, r.Partition, r.Offset, "no id")
		return nil, nil
	}
	if !tx.isNew(id, r.Topic, r.Partition, r.Offset) {
		return nil, nil
	}
	var event kycv1.SessionEvent
	if err := proto.Unmarshal(r.Value, &event); err != nil {
		tx.reject(r.Topic, r.Partition, r.Offset, "undecodable")
		return nil, nil
	}
	var broken *protovalidate.ValidationError
	switch err := protovalidate.Validate(&event); {
	case errors.As(err, &broken):
		tx.reject(r.Topic, r.Partition, r.Offset, "invalid")
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the rules of the contract cannot be run: %w", err)
	case event.GetDecision() == kycv1.Decision_DECISION_UNSPECIFIED:
		return nil, nil // the life of a verification, not its outcome
	}
	v := decide(&event, string(r.Key), c.sandboxToo)
	tx.decide(id, v)
	return v, nil
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}
