package sink

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Follower reads several topics as they grow, committed records only. It joins no
// consumer group and commits no offsets.
type Follower struct{ client *kgo.Client }

// OpenFollower begins at the start of the topics, or at the end they have when
// it is called. Topics are base names.
func OpenFollower(ctx context.Context, o Options, bases []string, fromStart bool) (*Follower, error) {
	reader, err := OpenReader(ctx, o)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	at := map[string]map[int32]kgo.Offset{}
	for _, base := range bases {
		list := reader.Ends
		if fromStart {
			list = reader.Starts
		}
		positions, err := list(ctx, base)
		if err != nil {
			return nil, err
		}
		begin := map[int32]kgo.Offset{}
		for partition, offset := range positions {
			begin[partition] = kgo.NewOffset().At(offset)
		}
		at[o.Topic(base)] = begin
	}
	client, err := kgo.NewClient(o.client(kgo.ConsumePartitions(at),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxBytes(fetchBytes))...)
	if err != nil {
		return nil, fmt.Errorf("options of the Kafka client: %w", err)
	}
	return &Follower{client: client}, nil
}

// Poll waits for records and returns at most max of them, those of a partition
// in order, or nothing when ctx ends. Records and an error may come together.
func (f *Follower) Poll(ctx context.Context, max int) ([]*kgo.Record, error) {
	fetches := f.client.PollRecords(ctx, max)
	if fetches.IsClientClosed() {
		return nil, ErrClosed
	}
	return fetches.Records(), errors.Join(fetchErrors(ctx, fetches)...)
}

// fetchErrors are the errors of a poll with their places, but for the end of its ctx.
func fetchErrors(ctx context.Context, fetches kgo.Fetches) (errs []error) {
	fetches.EachError(func(topic string, partition int32, err error) {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return
		}
		errs = append(errs, fmt.Errorf("reading %s partition %d: %w", topic, partition, err))
	})
	return errs
}

// Close closes the connections; a Poll under way returns.
func (f *Follower) Close() { f.client.Close() }
