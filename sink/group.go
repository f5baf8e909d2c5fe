package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
)

const (
	// groupWait is how long a poll of a group waits for records before it is asked again whether others of the
	// group have read what was left.
	groupWait = 500 * time.Millisecond
	// groupSession is how long the partitions of a killed member stand still.
	groupSession = 10 * time.Second
	// commitLimit bounds a commit of offsets, also that of a reader which is told to stop.
	commitLimit = 10 * time.Second
)

// spot is a partition of a topic, by its full name.
type spot struct {
	topic     string
	partition int32
}

// GroupReader reads several topics as a member of a consumer group, committed records only: the members share the
// partitions, and whoever comes later goes on where their offsets say. A group without offsets begins with the oldest
// record. Its methods must not run at the same time.
type GroupReader struct {
	reader *Reader
	client *kgo.Client
	opts   Options
	group  string // plain name
	bases  []string
	left   map[spot]int64 // the ends that partitions had at open, of those the group has not got to
	quiet  bool           // nothing came last, so that others of the group may have had what is left
}

// OpenGroupReader joins a group, whose name is scoped. Topics are base names. It fails where an offset of the group is
// behind the end of its partition: the topic is another one then than the group has read.
func OpenGroupReader(ctx context.Context, o Options, group string, bases []string) (*GroupReader, error) {
	reader, err := OpenReader(ctx, o)
	if err != nil {
		return nil, err
	}
	g := &GroupReader{reader: reader, opts: o, group: group, bases: bases, left: map[spot]int64{}, quiet: true}
	var topics []string
	for _, base := range bases {
		topics = append(topics, o.Topic(base))
		if err := g.measure(ctx, base); err != nil {
			reader.Close()
			return nil, err
		}
	}
	g.client, err = kgo.NewClient(o.client(o.member(group, topics)...)...)
	if err != nil {
		reader.Close()
		return nil, fmt.Errorf("options of the Kafka client: %w", err)
	}
	return g, nil
}

// member gives the options of a member of a group that reads topics, by their full names.
func (o Options) member(group string, topics []string) []kgo.Opt {
	return []kgo.Opt{
		kgo.ConsumerGroup(o.Scoped(group)),
		kgo.ConsumeTopics(topics...),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxWait(fetchWait),
		// A marker of a transaction is no record, and yet has an offset: with it, the end of a partition is an
		// offset like others, and the group's lag gets to nothing.
		kgo.KeepControlRecords(),
		// All partitions are given back before the group moves any, and none while records are being handed out:
		// so they are committed by the member that handed them out.
		kgo.Balancers(kgo.RangeBalancer()),
		kgo.BlockRebalanceOnPoll(),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(groupSession),
		kgo.HeartbeatInterval(time.Second),
	}
}

// measure notes where a topic ends. The group's offsets are asked for first: none is behind an end asked for later.
func (g *GroupReader) measure(ctx context.Context, base string) error {
	committed, err := g.reader.Committed(ctx, g.group, base)
	if err != nil {
		return err
	}
	ends, err := g.reader.Ends(ctx, base)
	if err != nil {
		return err
	}
	for partition, end := range ends {
		if committed[partition] > end {
			return fmt.Errorf("%w: group %s is at offset %d of topic %s partition %d, which ends at %d: take a group of another name", ErrTopicChanged,
				g.opts.Scoped(g.group), committed[partition], g.opts.Topic(base), partition, end)
		}
		g.left[spot{g.opts.Topic(base), partition}] = end
	}
	return nil
}

// Each waits a moment for records and hands out at most max of them, those of a partition in order, until take refuses
// one or ctx ends. Before it returns it commits the offsets of those that were taken, whatever failed beside. What a
// reader took last that is killed is handed out again.
func (g *GroupReader) Each(ctx context.Context, max int, take func(record.Record) bool) error {
	waiting, cancel := context.WithTimeout(ctx, groupWait)
	defer cancel()
	fetches := g.client.PollRecords(waiting, max)
	defer g.client.AllowRebalance()
	records := fetches.Records()
	g.quiet = len(records) == 0
	return errors.Join(g.commit(ctx, taken(ctx, records, take)), g.fetchError(waiting, fetches))
}

// taken hands records out and gives those that were taken, with the markers before and between them.
func taken(ctx context.Context, records []*kgo.Record, take func(record.Record) bool) []*kgo.Record {
	for n, r := range records {
		if !r.Attrs.IsControl() && (ctx.Err() != nil || !take(RecordOf(r))) {
			return records[:n]
		}
	}
	return records
}

// commit sets the group's offsets behind records. Where the group went on without this member, which stood still for
// longer than a rebalance waits, they stay as they are: it joins anew, and whoever gets the partitions hands the
// records out again.
func (g *GroupReader) commit(ctx context.Context, taken []*kgo.Record) error {
	if len(taken) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitLimit)
	defer cancel()
	err := g.client.CommitRecords(ctx, taken...)
	if Classify(err) == ClassRebalance {
		g.opts.logger().Warn("the group moved partitions while their records were handed out; they come again", "group", g.opts.Scoped(g.group))
		g.client.ForceRebalance()
		return nil
	}
	if err != nil {
		return fmt.Errorf("committing offsets of group %s, whose last records will come again: %w", g.opts.Scoped(g.group), err)
	}
	for _, r := range taken {
		g.reached(spot{r.Topic, r.Partition}, r.Offset+1)
	}
	return nil
}

func (g *GroupReader) reached(at spot, next int64) {
	if end, ok := g.left[at]; ok && next >= end {
		delete(g.left, at)
	}
}

// Reached reports whether the group has committed all that the topics held at open, this member or another.
func (g *GroupReader) Reached(ctx context.Context) (bool, error) {
	if !g.quiet {
		return len(g.left) == 0, nil
	}
	for _, base := range g.bases {
		committed, err := g.reader.Committed(ctx, g.group, base)
		if err != nil {
			return false, err
		}
		starts, err := g.reader.Starts(ctx, base)
		if err != nil {
			return false, err
		}
		for partition, start := range starts { // what retention removed is not left either
			g.reached(spot{g.opts.Topic(base), partition}, max(start, committed[partition]))
		}
	}
	return len(g.left) == 0, nil
}

// fetchError leaves out what passes: the client joins again by itself.
func (g *GroupReader) fetchError(waiting context.Context, fetches kgo.Fetches) error {
	var errs []error
	for _, err := range fetchErrors(waiting, fetches) {
		var joining *kgo.ErrGroupSession
		if !errors.As(err, &joining) {
			errs = append(errs, err)
		} else if class := Classify(joining); class != ClassRebalance && class != ClassUnavailable {
			errs = append(errs, fmt.Errorf("group %s cannot be joined: %w", g.opts.Scoped(g.group), joining.Err))
		}
	}
	return errors.Join(errs...)
}

// Close leaves the group, so that its partitions move at once, and closes the connections.
func (g *GroupReader) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_ = g.client.LeaveGroupContext(ctx) // without an answer, its session ends
	g.client.Close()
	g.reader.Close()
}
