package sink

import (
	"maps"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/schemas"
)

func TestOffsetsAt(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		client, err := kgo.NewClient(o.client()...)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		base := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
		for n := range 3 {
			r := &kgo.Record{Topic: o.Topic(schemas.Raw), Partition: 1, Key: []byte("k"), Timestamp: base.Add(time.Duration(n) * time.Minute)}
			if err := client.ProduceSync(testContext(t), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		for after, want := range map[time.Duration]int64{-time.Minute: 0, time.Minute: 1, time.Hour: 3} {
			got, err := openReader(t, o).OffsetsAt(testContext(t), schemas.Raw, base.Add(after))
			if wanted := map[int32]int64{0: 0, 1: want}; err != nil || !maps.Equal(got, wanted) {
				t.Errorf("%s after the first record: %v, %v, want %v", after, got, err, wanted)
			}
		}
	})
}

func TestRetention(t *testing.T) {
	cluster, o := fake(t)
	r := openReader(t, o)
	for value, want := range map[string]time.Duration{"3600000": time.Hour, "-1": 0} {
		set := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}}
		if _, err := r.admin.AlterTopicConfigs(testContext(t), set, o.Topic(schemas.Session)); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Retention(testContext(t), schemas.Session); err != nil || got != want {
			t.Errorf("retention.ms=%s is read as %s, %v, want %s", value, got, err, want)
		}
	}
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Err: kerr.TopicAuthorizationFailed, Count: 1})
	if got, err := r.Retention(testContext(t), schemas.Session); err != nil || got != 0 {
		t.Errorf("settings that may not be read: %s, %v, want 0", got, err)
	}
	if _, err := r.Retention(testContext(t), "nowhere"); err == nil {
		t.Error("a topic that does not exist has a retention")
	}
}
