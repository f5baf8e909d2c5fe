package embedded

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func describe(t testing.TB, client *kgo.Client, limit int32, from *kmsg.DescribeTopicPartitionsRequestCursor, topics ...string) *kmsg.DescribeTopicPartitionsResponse {
	t.Helper()
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit, req.Cursor = limit, from
	for _, name := range topics {
		rt := kmsg.NewDescribeTopicPartitionsRequestTopic()
		rt.Topic = name
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(testContext(t), client)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestDescribeTopicPartitionsHasNoNullLists: Java's admin client dereferences
// each of them.
func TestDescribeTopicPartitionsHasNoNullLists(t *testing.T) {
	client := newClient(t, start(t, t.TempDir()).Brokers()[0])
	for range 2 { // the repair stays in place
		resp := describe(t, client, 100, nil, "in", "nowhere")
		if len(resp.Topics) != 2 || resp.NextCursor != nil {
			t.Fatalf("%d topics, cursor %v; expected 2 and none", len(resp.Topics), resp.NextCursor)
		}
		in, nowhere := resp.Topics[0], resp.Topics[1]
		if in.ErrorCode != 0 || len(in.Partitions) != 1 || in.TopicID != metadata(t, client, "in").TopicID {
			t.Errorf("topic in: error %d, %d partitions, id %x", in.ErrorCode, len(in.Partitions), in.TopicID)
		}
		p := in.Partitions[0]
		if p.EligibleLeaderReplicas == nil || p.LastKnownELR == nil {
			t.Errorf("null lists in %+v", p)
		}
		if !slices.Equal(p.Replicas, []int32{0}) || !slices.Equal(p.ISR, []int32{0}) || p.LeaderID != 0 {
			t.Errorf("leader %d, replicas %v, in sync %v; expected broker 0 alone", p.LeaderID, p.Replicas, p.ISR)
		}
		if nowhere.ErrorCode != kerr.UnknownTopicOrPartition.Code {
			t.Errorf("unknown topic: error %d, expected %d", nowhere.ErrorCode, kerr.UnknownTopicOrPartition.Code)
		}
	}
}

// TestDescribeTopicPartitionsPages walks all topics, a few partitions at a time.
func TestDescribeTopicPartitionsPages(t *testing.T) {
	client := newClient(t, start(t, t.TempDir()).Brokers()[0])
	for _, limit := range []int32{1, 7, 31, 1000} {
		got := map[string]int{}
		var from *kmsg.DescribeTopicPartitionsRequestCursor
		for {
			resp := describe(t, client, limit, from)
			page := 0
			for _, topic := range resp.Topics {
				got[*topic.Topic] += len(topic.Partitions)
				page += len(topic.Partitions)
			}
			if page > int(limit) {
				t.Fatalf("a page of %d partitions, the limit is %d", page, limit)
			}
			if resp.NextCursor == nil {
				break
			}
			next := kmsg.NewDescribeTopicPartitionsRequestCursor()
			next.Topic, next.Partition = resp.NextCursor.Topic, resp.NextCursor.Partition
			from = &next
		}
		if len(got) != 2 || got["in"] != 1 || got["wide"] != commitWidth {
			t.Errorf("pages of %d: partitions are %v", limit, got)
		}
	}
}

// TestElectionChangesNothing: an election would raise the leader epoch, after
// which readers are told that records are missing.
func TestElectionChangesNothing(t *testing.T) {
	client := newClient(t, start(t, t.TempDir()).Brokers()[0])
	req := kmsg.NewPtrElectLeadersRequest()
	for _, name := range []string{"in", "nowhere"} {
		rt := kmsg.NewElectLeadersRequestTopic()
		rt.Topic, rt.Partitions = name, []int32{0}
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(testContext(t), client)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []*kerr.Error{kerr.ElectionNotNeeded, kerr.UnknownTopicOrPartition} {
		if got := resp.Topics[i].Partitions[0].ErrorCode; got != want.Code {
			t.Errorf("topic %s: error %d, expected %s", resp.Topics[i].Topic, got, want.Message)
		}
	}
	if epoch := metadata(t, client, "in").Partitions[0].LeaderEpoch; epoch != 0 {
		t.Errorf("leader epoch is %d, expected 0", epoch)
	}
}
