package sink

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kycbridge/kycbridge/schemas"
)

// CheckTopics compares the cluster's topics with what the protocol needs:
// missing topics, unequal partition counts and record sizes that are too small
// are errors that name the fix; unsafe settings are warnings or errors, as
// configured.
func CheckTopics(ctx context.Context, o Options, s TopicSettings) (warnings []string, err error) {
	reader, err := OpenReader(ctx, o)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	found, err := reader.topics(ctx)
	if err != nil {
		return nil, err
	}
	more, err := reader.settings(ctx, found)
	if err != nil {
		return nil, err
	}
	warnings, err = judge(o, s, found)
	return append(warnings, more...), err
}

// createdPatience is how long brokers may take to learn of topics that were just created.
const createdPatience = 10 * time.Second

// CheckCreated is CheckTopics after CreateTopics: another broker than the one that created a topic may not
// know of it yet, so it looks again for a while.
func CheckCreated(ctx context.Context, o Options, s TopicSettings) (warnings []string, err error) {
	deadline := time.Now().Add(createdPatience)
	for {
		warnings, err = CheckTopics(ctx, o, s)
		unknown := errors.Is(err, errAbsent) || errors.Is(err, kerr.UnknownTopicOrPartition)
		if !unknown || !time.Now().Before(deadline) || !pause(ctx, 100*time.Millisecond) {
			return warnings, err
		}
	}
}

// CreateTopics creates the topics that are missing and leaves the others as they
// are. It returns the names it created, once each has its leaders. A topic that
// another process creates at the same moment is no error.
func CreateTopics(ctx context.Context, o Options, s TopicSettings) (created []string, err error) {
	reader, err := OpenReader(ctx, o)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	found, err := reader.topics(ctx)
	if err != nil {
		return nil, err
	}
	brokers, err := reader.admin.ListBrokers(ctx)
	if err != nil {
		return nil, fmt.Errorf("the brokers cannot be listed: %w", err)
	}
	counts := map[string]int32{}
	for name, t := range found {
		counts[name] = t.partitions
	}
	for _, plan := range PlanTopics(o, s, len(brokers), counts) {
		if _, ok := found[plan.Name]; ok {
			continue
		}
		if err := reader.create(ctx, plan); err != nil {
			return created, err
		}
		created = append(created, plan.Name)
	}
	return created, reader.settle(ctx, created)
}

// create makes one topic.
func (r *Reader) create(ctx context.Context, plan TopicPlan) error {
	configs := map[string]*string{}
	for key, value := range plan.Configs {
		configs[key] = kadm.StringPtr(value)
	}
	answer, err := r.admin.CreateTopic(ctx, plan.Partitions, plan.Replication, configs, plan.Name)
	if err == nil {
		err = answer.Err
	}
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("topic %s (%d partitions, replication %d) cannot be created: %w: %s", plan.Name, plan.Partitions, plan.Replication, err, answer.ErrMessage)
	}
	return nil
}

// settle waits until every partition of the new topics has a leader.
func (r *Reader) settle(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, scanPatience)
	defer cancel()
	for _, name := range names {
		for {
			_, err := lookup(ctx, r.client, name)
			if err == nil {
				break
			}
			if !pause(ctx, 50*time.Millisecond) {
				return fmt.Errorf("topic %s was created but has no leaders yet: %w", name, err)
			}
		}
	}
	return nil
}

// topics finds which of our topics are there.
func (r *Reader) topics(ctx context.Context) (map[string]topicState, error) {
	var names []string
	for _, topic := range r.opts.Catalogue() {
		names = append(names, r.opts.Topic(topic.Base))
	}
	details, err := r.admin.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("the topics cannot be listed: %w", err)
	}
	found := map[string]topicState{}
	for _, name := range names {
		detail, ok := details[name]
		switch {
		case !ok || errors.Is(detail.Err, kerr.UnknownTopicOrPartition):
		case detail.Err != nil:
			return nil, fmt.Errorf("topic %s: %w: %s", name, detail.Err, Advice(detail.Err))
		default:
			found[name] = topicState{partitions: int32(len(detail.Partitions)), replication: detail.Partitions.NumReplicas(), id: detail.ID}
		}
	}
	return found, nil
}

// settings fills in what the broker says about each topic's configuration. A
// user that may not read it gets a warning: nothing else depends on it.
func (r *Reader) settings(ctx context.Context, found map[string]topicState) (warnings []string, err error) {
	var names []string
	for name := range found {
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, nil
	}
	described, err := r.admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("the topics' settings cannot be read: %w", err)
	}
	for _, resource := range described {
		switch {
		case Classify(resource.Err) == ClassAuthorization:
			warnings = append(warnings, fmt.Sprintf("no right to read the settings of topic %s (%v): its safety is not checked", resource.Name, resource.Err))
			continue
		case resource.Err != nil:
			return nil, fmt.Errorf("the settings of topic %s cannot be read: %w", resource.Name, resource.Err)
		}
		state := found[resource.Name]
		for _, c := range resource.Configs {
			apply(&state, c.Key, c.MaybeValue())
		}
		found[resource.Name] = state
	}
	return warnings, nil
}

// apply notes one setting of a topic.
func apply(state *topicState, key, value string) {
	number, _ := strconv.Atoi(value) // not a number: as if unread
	switch key {
	case "min.insync.replicas":
		state.minISR = number
	case "max.message.bytes":
		state.maxMessageBytes = number
	case "retention.ms":
		state.retention = time.Duration(number) * time.Millisecond
		if number > int(math.MaxInt64/time.Millisecond) { // longer than a duration can say
			state.retention = -1
		}
	case "unclean.leader.election.enable":
		state.unclean = value == "true"
	}
}

// CheckPrefix refuses to begin anew where that looks like a wrong prefix: none of our
// topics is there, and another prefix has all of them. Deliveries would be accepted into
// topics that nobody reads. CreateTopics itself does not ask: who calls it by hand means it.
func CheckPrefix(ctx context.Context, o Options) error {
	reader, err := OpenReader(ctx, o)
	if err != nil {
		return err
	}
	defer reader.Close()
	if ours, err := reader.topics(ctx); err != nil || len(ours) > 0 {
		return err
	}
	details, err := reader.admin.ListTopics(ctx) // all of the cluster, which may be many: only to begin anew
	if err != nil {
		return fmt.Errorf("the topics cannot be listed: %w", err)
	}
	others := environments(details)
	if len(others) == 0 {
		return nil
	}
	return fmt.Errorf("%w: no topic begins with kafka.topic_prefix %q, and all of them with %s: correct the prefix, or create the topics of another environment with %s", ErrTopics, o.prefix(), strings.Join(others, ", "), CreateCommand)
}

// environments are the prefixes, quoted, with which all our topics are there; a few of them.
func environments(details kadm.TopicDetails) (quoted []string) {
	const few = 5
	there := states(details)
	for _, name := range details.Names() {
		prefix, ok := strings.CutSuffix(name, schemas.Raw)
		switch {
		case !ok || len(absent(Options{TopicPrefix: prefix}, there)) > 0:
		case len(quoted) == few:
			return append(quoted, "more")
		default:
			quoted = append(quoted, strconv.Quote(prefix))
		}
	}
	return quoted
}

// states are topics of which only the name counts.
func states(details kadm.TopicDetails) map[string]topicState {
	found := map[string]topicState{}
	for name := range details {
		found[name] = topicState{}
	}
	return found
}
