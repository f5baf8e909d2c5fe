package sink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// internalTopics are Kafka's own. Consumer groups and transactions need them.
var internalTopics = []string{"__transaction_state", "__consumer_offsets"}

// Inspect compares the cluster with what is safe: topics, Kafka's own topics,
// brokers and features. Unlike CheckTopics, which a process asks at its start, it
// reports all it looked at, and how each thing is mended. An error means that the
// cluster could not be asked.
func Inspect(ctx context.Context, o Options, s TopicSettings) ([]Finding, error) {
	reader, err := OpenReader(ctx, o)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	facts, err := reader.facts(ctx)
	if err != nil {
		return nil, err
	}
	return advise(o, s, facts), nil
}

// facts is what a cluster says of itself. A map without an entry means that it
// does not say.
type facts struct {
	brokers  []int32
	topics   map[string]topicFacts // ours and Kafka's own, as far as they are there
	settings map[int32]map[string]string
	features map[string]int16 // finalized levels
	unread   []string         // what this user may not read
}

type topicFacts struct {
	partitions  int32
	replication int
	settings    map[string]string
}

func (r *Reader) facts(ctx context.Context) (*facts, error) {
	f := &facts{topics: map[string]topicFacts{}, settings: map[int32]map[string]string{}}
	metadata, err := r.admin.BrokerMetadata(ctx)
	if err != nil {
		return nil, fmt.Errorf("the brokers cannot be listed: %w", err)
	}
	f.brokers = metadata.Brokers.NodeIDs()
	if err := r.topicFacts(ctx, f); err != nil {
		return nil, err
	}
	if names := slices.Sorted(maps.Keys(f.topics)); len(names) > 0 {
		described, err := r.admin.DescribeTopicConfigs(ctx, names...)
		if err := f.note(described, err, "topics", func(c kadm.ResourceConfig, values map[string]string) {
			t := f.topics[c.Name]
			t.settings = values
			f.topics[c.Name] = t
		}); err != nil {
			return nil, err
		}
	}
	for _, id := range f.brokers {
		described, err := r.admin.DescribeBrokerConfigs(ctx, id)
		if err := f.note(described, err, fmt.Sprintf("broker %d", id), func(_ kadm.ResourceConfig, values map[string]string) {
			f.settings[id] = values
		}); err != nil {
			return nil, err
		}
	}
	return f, r.featureFacts(ctx, f)
}

// topicFacts finds which topics are there.
func (r *Reader) topicFacts(ctx context.Context, f *facts) error {
	names := slices.Clone(internalTopics)
	for _, topic := range r.opts.Catalogue() {
		names = append(names, r.opts.Topic(topic.Base))
	}
	details, err := r.admin.ListTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("the topics cannot be listed: %w", err)
	}
	for name, detail := range details {
		switch {
		case errors.Is(detail.Err, kerr.UnknownTopicOrPartition):
		case Classify(detail.Err) == ClassAuthorization:
			f.unread = append(f.unread, "topic "+name)
		case detail.Err != nil:
			return fmt.Errorf("topic %s: %w: %s", name, detail.Err, Advice(detail.Err))
		default:
			f.topics[name] = topicFacts{partitions: int32(len(detail.Partitions)), replication: detail.Partitions.NumReplicas()}
		}
	}
	return nil
}

// note keeps settings. What this user may not read is listed, and no error.
func (f *facts) note(described kadm.ResourceConfigs, err error, what string, take func(kadm.ResourceConfig, map[string]string)) error {
	if Classify(err) == ClassAuthorization {
		f.unread = append(f.unread, "settings of "+what)
		return nil
	}
	if err != nil {
		return fmt.Errorf("the settings of %s cannot be read: %w", what, err)
	}
	for _, resource := range described {
		switch {
		case Classify(resource.Err) == ClassAuthorization:
			f.unread = append(f.unread, "settings of "+what+" "+resource.Name)
			continue
		case resource.Err != nil:
			return fmt.Errorf("the settings of %s %s cannot be read: %w", what, resource.Name, resource.Err)
		}
		values := map[string]string{}
		for _, c := range resource.Configs {
			if c.Value != nil {
				values[c.Key] = *c.Value
			}
		}
		take(resource, values)
	}
	return nil
}

// featureFacts asks for the levels that the cluster has settled on.
func (r *Reader) featureFacts(ctx context.Context, f *facts) error {
	versions, err := r.admin.ApiVersions(ctx)
	if err != nil {
		return fmt.Errorf("the brokers' versions cannot be read: %w", err)
	}
	for _, v := range versions {
		if v.Err != nil || v.Raw() == nil || len(v.Raw().FinalizedFeatures) == 0 {
			continue
		}
		f.features = map[string]int16{}
		for _, feature := range v.Raw().FinalizedFeatures {
			f.features[feature.Name] = feature.MaxVersionLevel
		}
		break // settled for the whole cluster
	}
	return nil
}
