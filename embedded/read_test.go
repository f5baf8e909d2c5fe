package embedded

import (
	"context"
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func newClient(t testing.TB, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// readAll returns what a read_committed reader sees of a topic, from the start
// to the last stable offset. It fails if a transaction is still open.
func readAll(t testing.TB, client *kgo.Client, topic string) []*kgo.Record {
	t.Helper()
	ctx, meta := testContext(t), metadata(t, client, topic)
	var records []*kgo.Record
	for _, p := range meta.Partitions {
		records = append(records, readPartition(ctx, t, client, meta, p.Partition)...)
	}
	return records
}

func readPartition(ctx context.Context, t testing.TB, client *kgo.Client, topic kmsg.MetadataResponseTopic, partition int32) (records []*kgo.Record) {
	t.Helper()
	for offset := int64(0); ; {
		part := fetch(ctx, t, client, topic, partition, offset)
		if part.LastStableOffset != part.HighWatermark {
			t.Fatalf("%s/%d: a transaction is open at offset %d, the log ends at %d", *topic.Topic, partition, part.LastStableOffset, part.HighWatermark)
		}
		if offset >= part.HighWatermark {
			return records
		}
		got, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			Offset: offset, IsolationLevel: kgo.ReadCommitted(), Topic: *topic.Topic, Partition: partition,
		}, &part, kgo.DefaultDecompressor(), nil)
		if got.Err != nil || next <= offset {
			t.Fatalf("%s/%d: stuck at offset %d: %v", *topic.Topic, partition, offset, got.Err)
		}
		records, offset = append(records, got.Records...), next
	}
}

func fetch(ctx context.Context, t testing.TB, client *kgo.Client, topic kmsg.MetadataResponseTopic, partition int32, offset int64) kmsg.FetchResponseTopicPartition {
	t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.IsolationLevel, req.SessionEpoch = 32<<20, 1, -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = *topic.Topic, topic.TopicID
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = partition, offset, 16<<20
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := client.Broker(0).RetriableRequest(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	part := resp.(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
		t.Fatalf("%s/%d: fetch: %v", *topic.Topic, partition, err)
	}
	return part
}

// committedOffset returns -1 where the group has none.
func committedOffset(t testing.TB, client *kgo.Client, group, topic string, partition int32) int64 {
	t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	rg := kmsg.NewOffsetFetchRequestGroup()
	rg.Group = group
	rt := kmsg.NewOffsetFetchRequestGroupTopic()
	rt.Topic, rt.Partitions = topic, []int32{partition}
	rt.TopicID = metadata(t, client, topic).TopicID
	rg.Topics = append(rg.Topics, rt)
	req.Groups = append(req.Groups, rg)
	resp, err := req.RequestWith(testContext(t), client)
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.Groups[0].Topics) == 0 { // no such group
		return -1
	}
	return resp.Groups[0].Topics[0].Partitions[0].Offset
}

func metadata(t testing.TB, client *kgo.Client, topic string) kmsg.MetadataResponseTopic {
	t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	name := kmsg.NewMetadataRequestTopic()
	name.Topic = &topic
	req.Topics = append(req.Topics, name)
	resp, err := req.RequestWith(testContext(t), client)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("metadata of %s: %v", topic, err)
	}
	return resp.Topics[0]
}

func commitOffset(t testing.TB, addr, group string, offset int64) {
	t.Helper()
	client := newClient(t, addr)
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic, rt.TopicID = "in", metadata(t, client, "in").TopicID
	rp := kmsg.NewOffsetCommitRequestTopicPartition()
	rp.Offset = offset
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(testContext(t), client)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func cutFile(t testing.TB, path string, bytes int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()-bytes)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func appendTo(t testing.TB, path, text string) {
	t.Helper()
	if err := appendFile(path, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func values(records []*kgo.Record) []string {
	all := make([]string, 0, len(records))
	for _, r := range records {
		all = append(all, string(r.Value))
	}
	return all
}
