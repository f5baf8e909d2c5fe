package sink

import (
	"context"
	"maps"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// StayAt says where the next Commit leaves the group's offsets, by partition: at the first record that a
// successor must read again, though later ones are done with. Partitions that are not named go behind what
// was polled. The offsets are part of the transaction in any case, also where nothing new was polled: so the
// group refuses the commit of a session that has lost its partitions meanwhile.
//
// An aborted transaction goes back to what was polled before the last commit, not to where the group stays.
func (s *Session) StayAt(at map[int32]int64) { s.stay = at }

// staying gives ctx what the commit of the transaction needs to know of StayAt, and of the part of a gap that is in
// the open batch.
func (s *Session) staying(ctx context.Context) context.Context {
	if s.stay == nil && s.filling == nil {
		return ctx
	}
	at := map[int32]int64{}
	if s.filling != nil {
		at[s.filling.partition] = s.filling.next
	}
	maps.Copy(at, s.stay) // last: the group may stay before the gap
	s.stay = nil
	return kgo.PreTxnCommitFnContext(ctx, func(req *kmsg.TxnOffsetCommitRequest) error {
		leaveAt(req, s.input, at)
		return nil
	})
}

// leaveAt sets offsets of one topic in a commit, adding the partitions that are not in it.
func leaveAt(req *kmsg.TxnOffsetCommitRequest, input located, at map[int32]int64) {
	topic := topicOf(req, input)
	added := maps.Clone(at)
	for i := range topic.Partitions {
		if offset, ok := at[topic.Partitions[i].Partition]; ok {
			topic.Partitions[i].Offset, topic.Partitions[i].LeaderEpoch = offset, -1
			delete(added, topic.Partitions[i].Partition)
		}
	}
	for p, offset := range added {
		one := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		one.Partition, one.Offset = p, offset
		one.Metadata = &req.MemberID // tells that the offset is ours; see place.go
		topic.Partitions = append(topic.Partitions, one)
	}
}

// topicOf finds a topic in a commit, or adds it.
func topicOf(req *kmsg.TxnOffsetCommitRequest, input located) *kmsg.TxnOffsetCommitRequestTopic {
	for i := range req.Topics {
		if req.Topics[i].Topic == input.name {
			return &req.Topics[i]
		}
	}
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = input.name, input.id
	req.Topics = append(req.Topics, topic)
	return &req.Topics[len(req.Topics)-1]
}
