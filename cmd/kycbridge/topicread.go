package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// topicReader gives package audit the topics that sink reads.
type topicReader struct {
	*sink.Reader
	kafka sink.Options
}

func openTopics(ctx context.Context, o sink.Options) (*topicReader, error) {
	reader, err := sink.OpenReader(ctx, o)
	if err != nil {
		return nil, err
	}
	return &topicReader{reader, o}, nil
}

// topic finds a topic by its base name.
func (r *topicReader) topic(ctx context.Context, base string) (audit.Topic, sink.TopicID, error) {
	n, id, err := r.Partitions(ctx, base)
	return audit.Topic{
		Base: base, Name: r.kafka.Topic(base), Partitions: int32(n),
		Scan: func(ctx context.Context, partition int32, from audit.Start, fn func(audit.Record) error) (int64, error) {
			return r.Scan(ctx, base, partition, sink.Start(from), func(rec *kgo.Record) error { return fn(auditRecord(rec)) })
		},
	}, id, err
}

func auditRecord(r *kgo.Record) audit.Record {
	out := audit.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, schemas.Header{Key: h.Key, Value: h.Value})
	}
	return out
}
