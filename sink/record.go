package sink

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/schemas"
)

// byKey is the partition of a record that goes where its key sends it.
const byKey int32 = -1

// partitioner sends a record to the partition it names or, with byKey, to the
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

// encode turns what normalize hands over into records, in order.
func (o Options) encode(out []*schemas.Outgoing) ([]*kgo.Record, error) {
	records := make([]*kgo.Record, 0, len(out))
	for _, item := range out {
		topic, ok := schemas.TopicFor(item.Message)
		if !ok {
			return nil, fmt.Errorf("message %s has no topic: it is not in the catalogue of package schemas", name(item.Message))
		}
		base := topic.Base
		if item.Topic != "" {
			base = item.Topic
		}
		r, err := o.record(base, item.Message, item.Key, item.Partition, item.Headers)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// record builds one record.
func (o Options) record(base string, m proto.Message, key []byte, partition int32, headers []schemas.Header) (*kgo.Record, error) {
	if len(key) == 0 {
		return nil, errors.New("a record for topic " + o.Topic(base) + " has no key: keys are never empty")
	}
	value, err := schemas.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("message %s cannot be encoded: %w", name(m), err)
	}
	r := &kgo.Record{Topic: o.Topic(base), Partition: partition, Key: key, Value: value}
	for _, h := range headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return r, nil
}

// name gives a message's full name for an error.
func name(m proto.Message) string {
	if m == nil {
		return "(none)"
	}
	return string(m.ProtoReflect().Descriptor().FullName())
}
