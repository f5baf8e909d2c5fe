package operate

import (
	"context"
	"time"

	"github.com/kycbridge/kycbridge/sink"
)

// topicsLimit bounds creating and checking topics, once Kafka answers.
const topicsLimit = time.Minute

// CreateTopics creates the topics that are missing and returns their names, with an error
// those that were made before it.
func CreateTopics(ctx context.Context, s Servers) (created []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, topicsLimit)
	defer cancel()
	return sink.CreateTopics(ctx, s.Kafka, s.Topics)
}

// CheckTopics, after CreateTopics, refuses topics that the stages would refuse, and warns of what
// should be better. It waits a while for brokers that have not learned of new topics.
func CheckTopics(ctx context.Context, s Servers) (warnings []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, topicsLimit)
	defer cancel()
	return sink.CheckCreated(ctx, s.Kafka, s.Topics)
}

// Finding is one comparison of what is with what is safe.
type Finding = sink.Finding

// Level is how bad a finding is.
type Level = sink.Level

// The levels of findings.
const (
	FindingOK     = sink.OK
	FindingAdvice = sink.Note   // works and loses nothing, and could be better
	FindingUnsafe = sink.Unsafe // records can be lost or refused
)

// InspectTopics compares topics, Kafka's own topics, brokers and features with what is
// safe.
func InspectTopics(ctx context.Context, s Servers) ([]Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, topicsLimit)
	defer cancel()
	return sink.Inspect(ctx, s.Kafka, s.Topics)
}
