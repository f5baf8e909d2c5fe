package sink

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TopicID tells one incarnation of a topic from another of the same name.
type TopicID = [16]byte

// located is a topic as the cluster knows it now.
type located struct {
	name    string
	id      TopicID
	leaders map[int32]int32 // partition to node
}

// lookup asks for a topic and fails unless every partition has a leader.
func lookup(ctx context.Context, client *kgo.Client, topic string) (located, error) {
	meta, err := kadm.NewClient(client).Metadata(ctx, topic)
	if err != nil {
		return located{}, fmt.Errorf("topic %s cannot be looked up: %w", topic, err)
	}
	detail, ok := meta.Topics[topic]
	if !ok || errors.Is(detail.Err, kerr.UnknownTopicOrPartition) {
		return located{}, missing(topic)
	}
	if detail.Err != nil {
		return located{}, fmt.Errorf("topic %s: %w", topic, detail.Err)
	}
	found := located{name: topic, id: TopicID(detail.ID), leaders: map[int32]int32{}}
	for _, p := range detail.Partitions {
		if p.Err != nil && p.Leader < 0 {
			return located{}, fmt.Errorf("topic %s partition %d has no leader: %w", topic, p.Partition, p.Err)
		}
		found.leaders[p.Partition] = p.Leader
	}
	return found, nil
}

// missing words the absence of a topic.
func missing(topic string) error {
	return fmt.Errorf("topic %s does not exist: create the topics with %s: %w", topic, CreateCommand, kerr.UnknownTopicOrPartition)
}
