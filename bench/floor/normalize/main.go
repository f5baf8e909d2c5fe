// Command normalize is the floor of `kycbridge normalize`: a straight program that makes of the
// benchmark's backlog the same records in Kafka and the same keys in Redis, byte for byte but for
// what is random, and has nothing around it. It reads as the list of what must be done: take the
// webhook apart, identify it, map it, claim it, write events, dispositions and offsets in one
// transaction, mark it done.
//
// It is no normaliser. It takes sound webhooks of ComplyCube, each for the first time, in a group of
// its own. It validates nothing, knows neither duplicates nor dead letters, repairs nothing, hands no
// partition over, counts and logs nothing, and ends at the first error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	batch     = 500                   // records in one transaction
	idleAfter = 25 * time.Millisecond // then marks that no batch carries are written on their own
)

type settings struct {
	kafka, redis string // host:port
	db           int    // of Redis
	in           string // the raw topic
	out          string // prefix of the topics to write to
	group        string // consumer group and transactional id
}

func main() {
	var s settings
	flag.StringVar(&s.kafka, "kafka", "", "host:port of a broker")
	flag.StringVar(&s.redis, "redis", "", "host:port")
	flag.IntVar(&s.db, "redis-db", 0, "database: claims have the product's keys, so not the product's")
	flag.StringVar(&s.in, "in", "", "raw topic")
	flag.StringVar(&s.out, "out", "", "prefix of the topics to write to")
	flag.StringVar(&s.group, "group", "", "consumer group and transactional id")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "floor normalize:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	session, err := kgo.NewGroupTransactSession(options(s)...)
	if err != nil {
		return err
	}
	defer session.Close()
	raw, dispositions, err := topicIDs(ctx, session.Client(), s)
	if err != nil {
		return err
	}
	store := redis.NewClient(&redis.Options{
		Addr: s.redis, DB: s.db, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaxRetries: -1, // a repeated pipeline would meet its own claims
	})
	defer store.Close()
	read, marks := newReader(s.out, raw), newLedger(store, raw, dispositions)
	work := context.WithoutCancel(ctx) // the end lets the batch in hand through
	for ctx.Err() == nil {
		records, err := poll(ctx, session)
		if err != nil {
			return err
		}
		if err := step(work, session, read, marks, records); err != nil {
			return err
		}
	}
	return marks.exchange(work, nil)
}

// topicIDs asks Kafka for the ids of the raw topic and of the one of the dispositions.
func topicIDs(ctx context.Context, client *kgo.Client, s settings) (raw, dispositions [16]byte, err error) {
	topics, err := kadm.NewClient(client).ListTopics(ctx, s.in, s.out+schemas.DispositionTopic)
	if err == nil {
		err = topics.Error()
	}
	return topics[s.in].ID, topics[s.out+schemas.DispositionTopic].ID, err
}

// poll gives the next records, none when none come.
func poll(ctx context.Context, session *kgo.GroupTransactSession) ([]*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, idleAfter)
	defer cancel()
	fetches := session.PollRecords(ctx, batch)
	if err := fetches.Err(); err != nil && ctx.Err() == nil {
		return nil, err
	}
	return fetches.Records(), nil
}

// step takes one batch through all of it.
func step(ctx context.Context, session *kgo.GroupTransactSession, read *reader, marks *ledger, records []*kgo.Record) error {
	deliveries := make([]delivery, len(records))
	for i, r := range records {
		var err error
		if deliveries[i], err = read.delivery(r); err != nil {
			return fmt.Errorf("%s[%d]@%d: %w", r.Topic, r.Partition, r.Offset, err)
		}
	}
	if err := marks.exchange(ctx, deliveries); err != nil || len(records) == 0 {
		return err
	}
	if err := commit(ctx, session, deliveries); err != nil {
		return err
	}
	marks.settle(deliveries)
	return nil
}

// commit writes what the deliveries became, and their offsets, in one transaction.
func commit(ctx context.Context, session *kgo.GroupTransactSession, deliveries []delivery) error {
	decided, err := encoding.Marshal(&kycv1.Disposition{DecidedAt: timestamppb.Now()})
	if err != nil {
		return err
	}
	if err := session.Begin(); err != nil {
		return err
	}
	var failed kgo.FirstErrPromise
	for _, d := range deliveries {
		for _, event := range d.events {
			session.Produce(ctx, event, failed.Promise())
		}
		d.disposition.Value = append(d.disposition.Value, decided...) // its last field
		session.Produce(ctx, d.disposition, failed.Promise())
	}
	err = failed.Err() // of any: the library would commit the others
	committed, ended := session.End(ctx, kgo.TransactionEndTry(err == nil))
	if err := errors.Join(err, ended); err != nil || committed {
		return err
	}
	return errors.New("a partition was moved, and nothing else may be in the group")
}
