package sink

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
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

// encode turns what normalize hands over into records, in order. All records of a
// batch lie in one piece of memory, and so do their headers: they come and go together.
func (o Options) encode(out []*record.Outgoing) ([]*kgo.Record, error) {
	count := 0
	for _, item := range out {
		count += len(item.Headers)
	}
	records, all := make([]*kgo.Record, len(out)), make([]kgo.Record, len(out))
	headers := make([]kgo.RecordHeader, count)
	names := make(map[string]string)
	for i, item := range out {
		base, err := topicOf(item)
		if err != nil {
			return nil, err
		}
		if names[base] == "" {
			names[base] = o.Topic(base)
		}
		r := &all[i]
		r.Topic, r.Partition, r.Key = names[base], item.Partition, item.Key
		if r.Value, err = valueOf(item); err != nil {
			return nil, err
		}
		if len(r.Key) == 0 {
			return nil, noKey(r.Topic)
		}
		r.Headers, headers = headers[:len(item.Headers):len(item.Headers)], headers[len(item.Headers):]
		copyHeaders(r.Headers, item.Headers)
		records[i] = r
	}
	return records, nil
}

// topicOf is the base name of the topic of a record.
func topicOf(item *record.Outgoing) (string, error) {
	topic, ok := schemas.TopicFor(item.Message)
	switch {
	case !ok:
		return "", fmt.Errorf("message %s has no topic: it is not in the catalogue of package schemas", name(item.Message))
	case item.Topic != "":
		return item.Topic, nil
	}
	return topic.Base, nil
}

// valueOf is the value of a record.
func valueOf(item *record.Outgoing) ([]byte, error) {
	if item.Value != nil {
		return item.Value, nil
	}
	return marshal(item.Message)
}

// record builds one record.
func (o Options) record(base string, m proto.Message, key []byte, partition int32, headers []record.Header) (*kgo.Record, error) {
	if len(key) == 0 {
		return nil, noKey(o.Topic(base))
	}
	value, err := marshal(m)
	if err != nil {
		return nil, err
	}
	r := &kgo.Record{Topic: o.Topic(base), Partition: partition, Key: key, Value: value}
	if len(headers) > 0 {
		r.Headers = make([]kgo.RecordHeader, len(headers))
		copyHeaders(r.Headers, headers)
	}
	return r, nil
}

func copyHeaders(to []kgo.RecordHeader, from []record.Header) {
	for i, h := range from {
		to[i] = kgo.RecordHeader(h)
	}
}

func marshal(m proto.Message) ([]byte, error) {
	value, err := contract.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("message %s cannot be encoded: %w", name(m), err)
	}
	return value, nil
}

func noKey(topic string) error {
	return errors.New("a record for topic " + topic + " has no key: keys are never empty")
}

// name gives a message's full name for an error.
func name(m proto.Message) string {
	if m == nil {
		return "(none)"
	}
	return string(m.ProtoReflect().Descriptor().FullName())
}
