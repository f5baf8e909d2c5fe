package main

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/record"
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
func (r *topicReader) topic(ctx context.Context, base string) (audit.Topic, error) {
	n, id, err := r.Partitions(ctx, base)
	return audit.Topic{
		Base: base, Name: r.kafka.Topic(base), Partitions: int32(n), ID: id,
		Scan: func(ctx context.Context, partition int32, from audit.Start, fn func(audit.Record) error) (int64, error) {
			return r.Scan(ctx, base, partition, sink.Start(from), func(rec *kgo.Record) error { return fn(auditRecord(rec)) })
		},
	}, err
}

// source is a topic from a place on.
func (r *topicReader) source(ctx context.Context, base string, from audit.Start, read func(audit.Record) audit.Reading) (audit.Source, error) {
	t, err := r.topic(ctx, base)
	scan := func(ctx context.Context, partition int32, fn func(audit.Record) error) error {
		_, err := t.Scan(ctx, partition, from, fn)
		return err
	}
	return audit.Source{Name: t.Name, Partitions: t.Partitions, Scan: scan, Read: read}, err
}

func auditRecord(r *kgo.Record) audit.Record {
	out := audit.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, record.Header{Key: h.Key, Value: h.Value})
	}
	return out
}

// within gives a window's first offset in each partition of a topic, and the one after its last; where
// an end is open, what is given for it.
func (r *topicReader) within(ctx context.Context, base string, win window, froms, tos map[int32]int64) (_, _ map[int32]int64, err error) {
	if !win.from.IsZero() {
		if froms, err = r.OffsetsAt(ctx, base, win.from); err != nil {
			return nil, nil, err
		}
	}
	if !win.to.IsZero() {
		if tos, err = r.OffsetsAt(ctx, base, win.to); err != nil {
			return nil, nil, err
		}
	}
	return froms, tos, nil
}

// narrowed gives a topic that begins and ends with a window of time.
func (r *topicReader) narrowed(ctx context.Context, t audit.Topic, win window) (audit.Topic, error) {
	froms, tos, err := r.within(ctx, t.Base, win, nil, nil)
	if err != nil {
		return t, err
	}
	scan := t.Scan
	t.Scan = func(ctx context.Context, partition int32, from audit.Start, fn func(audit.Record) error) (int64, error) {
		end, bounded := tos[partition]
		if from.Time.IsZero() {
			from.Offset = max(from.Offset, froms[partition])
		}
		next, err := scan(ctx, partition, from, func(rec audit.Record) error {
			if bounded && rec.Offset >= end {
				return errPast
			}
			return fn(rec)
		})
		if errors.Is(err, errPast) {
			err = nil
		}
		return next, err
	}
	return t, nil
}

// errPast ends a reading behind its window.
var errPast = errors.New("behind the window")
