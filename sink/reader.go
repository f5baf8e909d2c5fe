package sink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

// Reader asks the log for what repair, recovery, lag and tail need. It joins no
// group and is safe for concurrent use.
type Reader struct {
	client  *kgo.Client
	admin   *kadm.Client
	opts    Options
	decoder kgo.Decompressor
}

// OpenReader connects a reader. ctx bounds the start only.
func OpenReader(ctx context.Context, o Options) (*Reader, error) {
	client, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	decoder, ok := client.OptValue(kgo.WithDecompressor).(kgo.Decompressor)
	if !ok {
		client.Close()
		return nil, errors.New("the Kafka client gives no decompressor")
	}
	return &Reader{client: client, admin: kadm.NewClient(client), opts: o, decoder: decoder}, nil
}

// Close closes the connections; calls under way fail.
func (r *Reader) Close() { r.client.Close() }

// Ping asks whether Kafka answers.
func (r *Reader) Ping(ctx context.Context) error { return r.client.Ping(ctx) }

// Partitions gives the number of partitions and the id of a topic, by base name.
func (r *Reader) Partitions(ctx context.Context, base string) (int, TopicID, error) {
	t, err := lookup(ctx, r.client, r.opts.Topic(base))
	return len(t.leaders), t.id, err
}

// Starts gives the first offset each partition still holds.
func (r *Reader) Starts(ctx context.Context, base string) (map[int32]int64, error) {
	topic := r.opts.Topic(base)
	listed, err := r.admin.ListStartOffsets(ctx, topic)
	return offsets(topic, listed, err)
}

// Ends gives each partition's end: the offset the next record will get, open
// transactions included.
func (r *Reader) Ends(ctx context.Context, base string) (map[int32]int64, error) {
	topic := r.opts.Topic(base)
	listed, err := r.admin.ListEndOffsets(ctx, topic)
	return offsets(topic, listed, err)
}

// Bounds gives those of a partition, with one listing for each kind of offset. They are asked for one after the other:
// so no start is behind its end, and where Stable is not below End no transaction is open before it.
func (r *Reader) Bounds(ctx context.Context, partition int32) (b record.Bounds, err error) {
	raw, dispositions := r.opts.Topic(schemas.Raw), r.opts.Topic(schemas.DispositionTopic)
	for _, ask := range []struct {
		list func(context.Context, ...string) (kadm.ListedOffsets, error)
		into map[string]*int64
	}{
		{r.admin.ListStartOffsets, map[string]*int64{raw: &b.Raw.Start, dispositions: &b.Dispositions.Start}},
		{r.admin.ListEndOffsets, map[string]*int64{raw: &b.Raw.End, dispositions: &b.Dispositions.End}},
		{r.admin.ListCommittedOffsets, map[string]*int64{dispositions: &b.Stable}},
	} {
		listed, err := ask.list(ctx, slices.Sorted(maps.Keys(ask.into))...)
		for topic, into := range ask.into {
			found, err := offsets(topic, listed, err)
			if err != nil {
				return record.Bounds{}, err
			}
			at, ok := found[partition]
			if !ok {
				return record.Bounds{}, fmt.Errorf("topic %s has no partition %d: it has %d", topic, partition, len(found))
			}
			*into = at
		}
	}
	return b, nil
}

// Committed gives the offsets a group has committed on a topic; a partition
// without a commit is not in the map. The group's name is scoped.
func (r *Reader) Committed(ctx context.Context, group, base string) (map[int32]int64, error) {
	topic := r.opts.Topic(base)
	var answer kadm.OffsetResponses
	err := patiently(ctx, func() (err error) {
		answer, err = r.admin.FetchOffsetsForTopics(ctx, r.opts.Scoped(group), topic)
		return err
	})
	if errors.Is(err, kerr.GroupIDNotFound) {
		return map[int32]int64{}, nil // a group that never was has committed nothing
	}
	if err != nil {
		return nil, fmt.Errorf("committed offsets of group %s: %w", r.opts.Scoped(group), err)
	}
	found := map[int32]int64{}
	for partition, o := range answer[topic] {
		if o.Err != nil {
			return nil, fmt.Errorf("committed offset of group %s, topic %s partition %d: %w", r.opts.Scoped(group), topic, partition, o.Err)
		}
		if o.At >= 0 {
			found[partition] = o.At
		}
	}
	return found, nil
}

// Commit sets a group's offsets while it has no active member; with one the
// broker refuses.
func (r *Reader) Commit(ctx context.Context, group, base string, at map[int32]int64) error {
	topic := r.opts.Topic(base)
	set := kadm.Offsets{}
	for partition, offset := range at {
		set.AddOffset(topic, partition, offset, -1)
	}
	if err := patiently(ctx, func() error { return r.admin.CommitAllOffsets(ctx, r.opts.Scoped(group), set) }); err != nil {
		return fmt.Errorf("committing offsets of group %s (it must have no active member): %w", r.opts.Scoped(group), err)
	}
	return nil
}

// patiently repeats what a coordinator refuses because it is moving, or being
// set up as on a cluster that never had a group.
func patiently(ctx context.Context, ask func() error) error {
	for begin := time.Now(); ; {
		err := ask()
		if Classify(err) != ClassUnavailable || time.Since(begin) > scanPatience || !pause(ctx, 100*time.Millisecond) {
			return err
		}
	}
}

// offsets flattens a listing of one topic.
func offsets(topic string, listed kadm.ListedOffsets, err error) (map[int32]int64, error) {
	if err != nil {
		return nil, fmt.Errorf("offsets of topic %s: %w", topic, err)
	}
	if len(listed[topic]) == 0 {
		return nil, missing(topic)
	}
	found := map[int32]int64{}
	for partition, o := range listed[topic] {
		if o.Err != nil {
			return nil, fmt.Errorf("offset of topic %s partition %d: %w", topic, partition, o.Err)
		}
		found[partition] = o.Offset
	}
	return found, nil
}
