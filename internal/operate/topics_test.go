package operate_test

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/operate/operatetest"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

func TestTopics(t *testing.T) {
	t.Parallel()
	b := operatetest.Start(t)
	s := servers(b)
	s.Topics = sink.TopicSettings{Partitions: 2, Replication: 1, Safety: sink.Warn}
	if created, err := operate.CreateTopics(t.Context(), s); err != nil || len(created) != 0 {
		t.Errorf("created %v, %v, want nothing: all are there", created, err)
	}
	s.Kafka.TopicPrefix = "test."
	if findings, err := operate.InspectTopics(t.Context(), s); err != nil || !slices.ContainsFunc(findings, operate.Finding.Missing) {
		t.Errorf("findings %v, %v, want missing topics", findings, err)
	}
	created, err := operate.CreateTopics(t.Context(), s)
	if err != nil || len(created) != len(schemas.Topics()) {
		t.Errorf("created %v, %v", created, err)
	}
	b.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "test." + schemas.Raw, Err: kerr.UnknownTopicOrPartition, Count: 1})
	if _, err := operate.CheckTopics(t.Context(), s); err != nil { // this broker has not heard of them all
		t.Errorf("what was created is refused: %v", err)
	}
}
