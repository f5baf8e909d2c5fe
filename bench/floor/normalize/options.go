package main

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// transactionLimit is how long a transaction may take.
const transactionLimit = 15 * time.Second

// options are the product's, but for what it needs to watch the client.
func options(s settings) []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(s.kafka), kgo.ClientID("kycbridge"), kgo.DialTimeout(5 * time.Second), kgo.AlwaysRetryEOF(),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.RetryBackoffFn(func(tries int) time.Duration { return min(time.Second, 50*time.Millisecond<<min(tries-1, 5)) }),

		kgo.ConsumerGroup(s.group), kgo.ConsumeTopics(s.in), kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(10 * time.Second), kgo.HeartbeatInterval(2 * time.Second), kgo.RebalanceTimeout(transactionLimit),
		kgo.FetchMaxBytes(2 << 20), kgo.MaxDecompressBatchBytes(64 << 20),

		kgo.TransactionalID(s.group), kgo.TransactionTimeout(transactionLimit),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0), kgo.RecordPartitioner(partitioner{}),
		kgo.ProduceRequestTimeout(5 * time.Second), kgo.RequestTimeoutOverhead(5 * time.Second),
		kgo.MaxBufferedRecords(10_000), kgo.MaxBufferedBytes(64 << 20), kgo.ProducerBatchMaxBytes(4 << 20),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	}
}

// byKey is the partition of a record that goes where its key sends it.
const byKey = -1

// partitioner sends events where their key belongs, as Java clients do, and dispositions into the
// partition they name.
type partitioner struct{}

func (partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return pinned{kgo.StickyKeyPartitioner(nil).ForTopic(topic)}
}

type pinned struct{ kgo.TopicPartitioner }

func (pinned) RequiresConsistency(*kgo.Record) bool { return true }

func (p pinned) Partition(r *kgo.Record, n int) int {
	if r.Partition == byKey {
		return p.TopicPartitioner.Partition(r, n)
	}
	return int(r.Partition)
}
