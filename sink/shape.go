package sink

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/internal/record"
)

// Shape is what a topic is now: which one of its name, and how many partitions it has.
type Shape struct {
	ID         TopicID
	Partitions int32
}

// Shapes asks for topics, by base name, past the client's cache. One that does not exist is not in the map. A
// partition without a leader counts.
func (r *Reader) Shapes(ctx context.Context, bases ...string) (map[string]Shape, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	base := map[string]string{}
	for _, b := range bases {
		name := r.opts.Topic(b)
		base[name] = b
		asked := kmsg.NewMetadataRequestTopic()
		asked.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, asked)
	}
	resp, err := req.RequestWith(ctx, r.client)
	if err != nil {
		return nil, fmt.Errorf("the topics cannot be looked up: %w", err)
	}
	found := map[string]Shape{}
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
		case err != nil && !errors.Is(err, kerr.LeaderNotAvailable):
			return nil, fmt.Errorf("topic %s: %w", *t.Topic, err)
		default:
			found[base[*t.Topic]] = Shape{ID: t.TopicID, Partitions: int32(len(t.Partitions))}
		}
	}
	return found, nil
}

// HeldPartitions lists those of topics, by base name.
func (r *Reader) HeldPartitions(ctx context.Context, bases ...string) (held []record.HeldPartition, err error) {
	topics := make([]string, len(bases))
	for i, base := range bases {
		topics[i] = r.opts.Topic(base)
	}
	// The stable offsets first: what is committed between the two questions looks held for a moment.
	stable, err := r.admin.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("last stable offsets: %w", err)
	}
	ends, err := r.admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("end offsets: %w", err)
	}
	for _, end := range ends.Offsets().Sorted() {
		at, ok := stable.Lookup(end.Topic, end.Partition)
		if ok && at.Err == nil && end.At > at.Offset {
			held = append(held, record.HeldPartition{Topic: end.Topic, Partition: end.Partition, Stable: at.Offset, Records: end.At - at.Offset})
		}
	}
	return held, nil
}
