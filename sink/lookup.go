package sink

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TopicID distinguishes topics that had the same name, one after the other.
type TopicID = [16]byte

// located is a topic as the cluster knows it now.
type located struct {
	name    string
	id      TopicID
	leaders map[int32]int32 // partition to node
}

// lookup asks for a topic and fails unless every partition has a leader. It goes
// past the client's metadata cache, which may be five seconds old.
func lookup(ctx context.Context, client *kgo.Client, topic string) (located, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, asked)
	resp, err := req.RequestWith(ctx, client)
	if err == nil && len(resp.Topics) != 1 {
		err = fmt.Errorf("the answer holds %d topics, want 1", len(resp.Topics))
	}
	if err != nil {
		return located{}, fmt.Errorf("topic %s cannot be looked up: %w", topic, err)
	}
	found := resp.Topics[0]
	switch err := kerr.ErrorForCode(found.ErrorCode); {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return located{}, missing(topic)
	case err != nil:
		return located{}, fmt.Errorf("topic %s: %w", topic, err)
	}
	if found.TopicID == (TopicID{}) {
		return located{}, tooOld(topic)
	}
	leaders := make(map[int32]int32, len(found.Partitions))
	for _, p := range found.Partitions {
		if p.Leader < 0 {
			return located{}, fmt.Errorf("topic %s partition %d has no leader: %w", topic, p.Partition, kerr.LeaderNotAvailable)
		}
		leaders[p.Partition] = p.Leader
	}
	return located{name: topic, id: found.TopicID, leaders: leaders}, nil
}

// LeastKafka is the oldest version whose topics have ids. Claims hold the raw topic's:
// without it, two deployments would drop each other's deliveries as copies.
const LeastKafka = "2.8"

// tooOld is the error about a topic without an id.
func tooOld(topic string) error {
	return fmt.Errorf("%w: topic %s has no id, want one, as Kafka %s and newer give: upgrade the brokers, and the proxy between if there is one", ErrTooOld, topic, LeastKafka)
}

// missing is the error about a topic that does not exist.
func missing(topic string) error {
	return fmt.Errorf("topic %s does not exist: create the topics with %s: %w", topic, CreateCommand, kerr.UnknownTopicOrPartition)
}
