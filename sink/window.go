package sink

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// OffsetsAt gives, for each partition, the offset of the first record with a
// timestamp of t or later, and the end where there is none.
func (r *Reader) OffsetsAt(ctx context.Context, base string, t time.Time) (map[int32]int64, error) {
	topic := r.opts.Topic(base)
	listed, err := r.admin.ListOffsetsAfterMilli(ctx, t.UnixMilli(), topic)
	return offsets(topic, listed, err)
}

// Retention says how long a topic keeps its records; 0 means for ever, or that the
// user may not read the topic's settings.
func (r *Reader) Retention(ctx context.Context, base string) (time.Duration, error) {
	topic := r.opts.Topic(base)
	described, err := r.admin.DescribeTopicConfigs(ctx, topic)
	switch {
	case Classify(err) == ClassAuthorization:
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("the settings of topic %s cannot be read: %w", topic, err)
	}
	for _, resource := range described {
		switch {
		case Classify(resource.Err) == ClassAuthorization:
			return 0, nil
		case resource.Err != nil:
			return 0, fmt.Errorf("the settings of topic %s cannot be read: %w", topic, resource.Err)
		}
		for _, c := range resource.Configs {
			if ms, err := strconv.ParseInt(c.MaybeValue(), 10, 64); c.Key == "retention.ms" && err == nil && ms > 0 {
				return time.Duration(min(ms, int64(1<<62)/int64(time.Millisecond))) * time.Millisecond, nil
			}
		}
	}
	return 0, nil
}
