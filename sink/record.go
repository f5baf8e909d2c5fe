package sink

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
)

// partitioner sends a record to the partition it names or, with record.ByKey, to the
// one its key hashes to under murmur2, as Java clients do. One client needs
// both: dispositions follow the raw record's partition number, events their key.
type partitioner struct{}

func (partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return pinned{kgo.StickyKeyPartitioner(nil).ForTopic(topic)}
}

// pinned wraps the library's key partitioner.
type pinned struct{ hash kgo.TopicPartitioner }

// RequiresConsistency is always true: a record must never move to another
// partition because its own has no leader at the moment.
func (pinned) RequiresConsistency(*kgo.Record) bool { return true }

func (p pinned) Partition(r *kgo.Record, n int) int {
	if r.Partition >= 0 {
		return int(r.Partition)
	}
	return p.hash.Partition(r, n)
}

// records turns what is handed over into records of the client, in order. All of a batch lie
// in one piece of memory, and so do their headers: they come and go together.
func (o Options) records(out []record.Outgoing) ([]*kgo.Record, error) {
	count := 0
	for i := range out {
		count += len(out[i].Headers)
	}
	records, all := make([]*kgo.Record, len(out)), make([]kgo.Record, len(out))
	headers := make([]kgo.RecordHeader, count)
	names := make(map[string]string)
	for i := range out {
		item := &out[i]
		if names[item.Topic] == "" {
			names[item.Topic] = o.Topic(item.Topic)
		}
		if err := o.fill(&all[i], names[item.Topic], item, headers[:len(item.Headers):len(item.Headers)]); err != nil {
			return nil, err
		}
		headers = headers[len(item.Headers):]
		records[i] = &all[i]
	}
	return records, nil
}

// fill makes one record of the client, with room for its headers.
func (o Options) fill(r *kgo.Record, topic string, item *record.Outgoing, headers []kgo.RecordHeader) error {
	if len(item.Key) == 0 {
		return errors.New("a record for topic " + topic + " has no key: keys are never empty")
	}
	for i, h := range item.Headers {
		headers[i] = kgo.RecordHeader(h)
	}
	r.Topic, r.Partition, r.Key, r.Value, r.Headers = topic, item.Partition, item.Key, item.Value, headers
	return nil
}
