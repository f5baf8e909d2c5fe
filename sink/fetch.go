package sink

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/schemas"
)

// fetch asks for the records from s.position on and notes how far the answer
// reaches. A scan fetches by itself because a consumer shows only records: an
// answer made of aborted ones, or of none, would leave it not knowing that the
// end is reached.
func (s *scan) fetch(ctx context.Context) ([]*kgo.Record, error) {
	answer, err := s.request(ctx)
	if err == nil {
		err = kerr.ErrorForCode(answer.ErrorCode)
	}
	switch {
	case err == nil:
		return s.read(answer)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, kerr.OffsetOutOfRange):
		return nil, s.outOfRange(ctx)
	case time.Since(s.answered) > scanPatience || !mayPass(err):
		return nil, fmt.Errorf("reading %s partition %d at offset %d: %w", s.topic.name, s.partition, s.position, err)
	}
	if !pause(ctx, 100*time.Millisecond) {
		return nil, ctx.Err()
	}
	if found, err := lookup(ctx, s.reader.client, s.topic.name); err == nil {
		s.topic.leaders = found.leaders
	}
	return nil, nil
}

// mayPass reports whether a moved leader or a restarted broker may explain an error,
// so that waiting helps.
func mayPass(err error) bool {
	switch Classify(err) {
	case ClassTopicChanged, ClassClosed, ClassHandshake, ClassAuthentication, ClassAuthorization:
		return false
	}
	var answer *kerr.Error
	return !errors.As(err, &answer) || answer.Retriable
}

// errNoAnswer: the broker answered the request but not the partition, as it does
// while it throttles.
var errNoAnswer = errors.New("the broker's answer leaves out the partition")

// request sends one fetch to the partition's leader.
func (s *scan) request(ctx context.Context) (*kmsg.FetchResponseTopicPartition, error) {
	return fetchOnce(ctx, s.reader.client, s.topic, s.partition, s.position)
}

// fetchOnce asks the leader of a partition once for what it has from an offset on.
func fetchOnce(ctx context.Context, client *kgo.Client, from located, number int32, offset int64) (*kmsg.FetchResponseTopicPartition, error) {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID = -1
	req.MaxWaitMillis = 500
	req.MinBytes = 1
	// The partition's limit is the one to be reached: kfake leaves out which transactions were aborted
	// where it is the request's.
	req.MaxBytes = math.MaxInt32
	req.IsolationLevel = 1
	req.SessionEpoch = -1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = from.name, from.id
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition = number
	partition.CurrentLeaderEpoch = -1
	partition.FetchOffset = offset
	partition.LastFetchedEpoch = -1
	partition.LogStartOffset = -1
	partition.PartitionMaxBytes = fetchBytes
	topic.Partitions = append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)

	answer, err := client.Broker(int(from.leaders[number])).Request(ctx, req)
	if err != nil {
		return nil, err
	}
	resp, ok := answer.(*kmsg.FetchResponse)
	if !ok {
		return nil, errNoAnswer
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	if len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
		return nil, errNoAnswer
	}
	return &resp.Topics[0].Partitions[0], nil
}

// read decodes an answer. Two answers in a row that hold nothing although
// everything up to the end is decided mean that there is nothing left.
func (s *scan) read(answer *kmsg.FetchResponseTopicPartition) ([]*kgo.Record, error) {
	s.answered = time.Now()
	decoded, next := unpack(answer, s.topic.name, s.partition, s.position, s.reader.decoder)
	if decoded.Err != nil && next <= s.position && undecodable(decoded.Err) {
		return s.passOver(answer, decoded.Err)
	}
	if decoded.Err != nil {
		return nil, fmt.Errorf("reading %s partition %d at offset %d: %w", s.topic.name, s.partition, s.position, decoded.Err)
	}
	if next > s.position {
		s.empty = 0
		s.fetched = next
		return decoded.Records, nil
	}
	if answer.LastStableOffset >= s.end {
		s.empty++
	}
	if s.empty >= 2 {
		s.fetched = s.end
	}
	return nil, nil
}

// unpack decodes an answer to a fetch at an offset, and gives the offset to go on at.
func unpack(answer *kmsg.FetchResponseTopicPartition, topic string, partition int32, offset int64, decoder kgo.Decompressor) (kgo.FetchPartition, int64) {
	return kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: offset, IsolationLevel: kgo.ReadCommitted(), Topic: topic, Partition: partition,
	}, answer, decoder, nil)
}

// passOver goes on behind a batch that cannot be read, once it was asked for twice. Of the
// raw topic it gives what stands for its records; no other topic has any that count.
func (s *scan) passOver(answer *kmsg.FetchResponseTopicPartition, why error) ([]*kgo.Record, error) {
	g, ok := gapIn(answer, s.position, why)
	if !ok {
		return nil, fmt.Errorf("reading %s partition %d at offset %d: %w", s.topic.name, s.partition, s.position, why)
	}
	if s.spoilt != s.position+1 {
		s.spoilt = s.position + 1
		return nil, nil
	}
	s.reader.opts.logger().Warn("a batch cannot be read and is passed over: find out who wrote it",
		"topic", s.topic.name, "partition", s.partition, "from", g.from, "to", g.next-1, "error", why)
	if s.topic.name != s.reader.opts.Topic(schemas.Raw) {
		s.fetched = g.next
		return nil, nil
	}
	records := g.chunk(s.topic.name, s.partition, gapChunk)
	s.fetched = g.from + int64(len(records))
	s.spoilt = s.fetched + 1 // the rest of it is not asked for twice
	return records, nil
}

// outOfRange finds out on which side of the log the position fell off.
func (s *scan) outOfRange(ctx context.Context) error {
	listed, err := s.reader.admin.ListStartOffsets(ctx, s.topic.name)
	starts, err := offsets(s.topic.name, listed, err)
	if err != nil {
		return err
	}
	if start := starts[s.partition]; s.position < start {
		s.resume(start)
		return nil
	}
	return fmt.Errorf("topic %s partition %d lost records: offset %d was there and is past the end of the log now", s.topic.name, s.partition, s.position)
}
