package embedded

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// mostPartitions bounds one answer to DescribeTopicPartitions, as in Apache
// Kafka (max.request.partition.size.limit).
const mostPartitions = 2000

// repairAdmin answers two requests of Java's admin client in kfake's place.
func repairAdmin(cluster *kfake.Cluster, dir string) {
	cluster.ControlKey(int16(kmsg.DescribeTopicPartitions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return describeTopicPartitions(cluster, dir, req.(*kmsg.DescribeTopicPartitionsRequest)), nil, true
	})
	cluster.ControlKey(int16(kmsg.ElectLeaders), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return electLeaders(cluster, req.(*kmsg.ElectLeadersRequest)), nil, true
	})
}

// electLeaders answers that no election is needed: there is one broker. kfake
// would raise the leader epoch, which it forgets again when it is killed, and
// which makes OffsetForLeaderEpoch answer "undefined": readers then believe that
// records were lost and go back.
func electLeaders(cluster *kfake.Cluster, req *kmsg.ElectLeadersRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	for _, t := range req.Topics {
		answer := kmsg.NewElectLeadersResponseTopic()
		answer.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewElectLeadersResponseTopicPartition()
			part.Partition, part.ErrorCode = p, kerr.ElectionNotNeeded.Code
			if cluster.PartitionInfo(t.Topic, p) == nil {
				part.ErrorCode = kerr.UnknownTopicOrPartition.Code
			}
			answer.Partitions = append(answer.Partitions, part)
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp
}

// describeTopicPartitions answers as kfake does, with lists that are empty where
// kfake's are null: Java's describeTopics dereferences them.
func describeTopicPartitions(cluster *kfake.Cluster, dir string, req *kmsg.DescribeTopicPartitionsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	names := make([]string, 0, len(req.Topics))
	for _, t := range req.Topics {
		names = append(names, t.Topic)
	}
	if len(names) == 0 {
		names = topicNames(dir)
	}
	slices.Sort(names)
	var from kmsg.DescribeTopicPartitionsRequestCursor
	if req.Cursor != nil {
		from = *req.Cursor
	}
	room := int(min(max(req.ResponsePartitionLimit, 1), mostPartitions))
	for _, name := range slices.Compact(names) {
		if name < from.Topic {
			continue
		}
		if room == 0 {
			resp.NextCursor = cursor(name, 0)
			break
		}
		var start int32
		if name == from.Topic {
			start = from.Partition
		}
		answer, next := describeTopic(cluster, name, start, room)
		resp.Topics = append(resp.Topics, answer)
		room -= len(answer.Partitions)
		if next >= 0 {
			resp.NextCursor = cursor(name, next)
			break
		}
	}
	return resp
}

// describeTopic fills in up to room partitions from start on. next is the first
// one that did not fit, or -1.
func describeTopic(cluster *kfake.Cluster, name string, start int32, room int) (answer kmsg.DescribeTopicPartitionsResponseTopic, next int32) {
	answer = kmsg.NewDescribeTopicPartitionsResponseTopic()
	answer.Topic = &name
	answer.Partitions = []kmsg.DescribeTopicPartitionsResponseTopicPartition{}
	info := cluster.TopicInfo(name)
	if info == nil {
		answer.ErrorCode = kerr.UnknownTopicOrPartition.Code
		return answer, -1
	}
	answer.TopicID = info.TopicID
	for _, p := range cluster.PartitionInfos(name) {
		if p.Partition < start {
			continue
		}
		if len(answer.Partitions) == room {
			return answer, p.Partition
		}
		part := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		part.Partition, part.LeaderID, part.LeaderEpoch = p.Partition, p.Leader, p.Epoch
		part.Replicas, part.ISR = []int32{p.Leader}, []int32{p.Leader}
		part.EligibleLeaderReplicas, part.LastKnownELR, part.OfflineReplicas = []int32{}, []int32{}, []int32{}
		answer.Partitions = append(answer.Partitions, part)
	}
	return answer, -1
}

func cursor(topic string, partition int32) *kmsg.DescribeTopicPartitionsResponseNextCursor {
	c := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	c.Topic, c.Partition = topic, partition
	return &c
}

// topicNames lists all topics from the file in which kfake keeps them: it has no
// call for it, and a request to itself would wait for the one being answered.
func topicNames(dir string) []string {
	var file struct {
		Topics []struct {
			Name string `json:"name"`
		} `json:"topics"`
	}
	text, err := os.ReadFile(filepath.Join(dir, "topics.json"))
	if err != nil || json.Unmarshal(text, &file) != nil {
		return nil
	}
	names := make([]string, 0, len(file.Topics))
	for _, t := range file.Topics {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return names
}
