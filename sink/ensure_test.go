package sink

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/kycbridge/kycbridge/schemas"
)

func TestCreateTopicsThenCheck(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	o := Options{Brokers: cluster.ListenAddrs(), TopicPrefix: "x."}
	ctx := testContext(t)

	if _, err := CheckTopics(ctx, o, TopicSettings{}); !errors.Is(err, ErrTopics) || !strings.Contains(err.Error(), CreateCommand) {
		t.Fatalf("no topics: %v, want ErrTopics and the command", err)
	}
	created, err := CreateTopics(ctx, o, TopicSettings{Partitions: 4})
	if err != nil || len(created) != len(schemas.Topics()) {
		t.Fatalf("created %v, %v", created, err)
	}
	if warnings, err := CheckTopics(ctx, o, TopicSettings{}); err != nil || len(warnings) != 0 {
		t.Fatalf("after creating: %v, %v", warnings, err)
	}
	// One is gone: it comes back with the count the others have.
	if err := cluster.DeleteTopic("x.hydrate.v1"); err != nil {
		t.Fatal(err)
	}
	created, err = CreateTopics(ctx, o, TopicSettings{Partitions: 9})
	if err != nil || len(created) != 1 || created[0] != "x.hydrate.v1" {
		t.Fatalf("created %v, %v", created, err)
	}
	if _, err := CheckTopics(ctx, o, TopicSettings{}); err != nil {
		t.Fatal(err)
	}
}

// TestJSONIsSwitchedOnLater: on a cluster that has the other topics, the check names the twins that are missing and
// the command, which makes them and leaves the others alone.
func TestJSONIsSwitchedOnLater(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	o, ctx := Options{Brokers: cluster.ListenAddrs()}, testContext(t)
	if _, err := CreateTopics(ctx, o, TopicSettings{Partitions: 4}); err != nil {
		t.Fatal(err)
	}
	o.JSON = true
	const missing = "kyc.session.v1.json, kyc.check.v1.json, kyc.aml.v1.json, kyc.renewal.v1.json, kyc.resource.v1.json"
	if _, err := CheckTopics(ctx, o, TopicSettings{}); !errors.Is(err, ErrTopics) || !strings.Contains(err.Error(), missing+": create them with "+CreateCommand) {
		t.Errorf("the check says %v", err)
	}
	created, err := CreateTopics(ctx, o, TopicSettings{Partitions: 9})
	if err != nil || strings.Join(created, ", ") != missing {
		t.Errorf("created %v, %v", created, err)
	}
	if warnings, err := CheckTopics(ctx, o, TopicSettings{}); err != nil || len(warnings) > 0 {
		t.Errorf("then the check says %v, %v", warnings, err)
	}
	findings, err := Inspect(ctx, o, TopicSettings{})
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, f := range findings {
		if strings.HasSuffix(f.Where, ".json") && f.Setting == "partitions" {
			if looked++; f.Level != OK || f.Found != "4" {
				t.Errorf("%+v", f)
			}
		}
	}
	if looked != len(schemas.JSONTopics()) {
		t.Errorf("%d twins were looked at", looked)
	}
}

// A broker that has not heard of the new topics yet is asked again.
func TestCheckCreatedWaitsForBrokersToLearn(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.Metadata, kmsg.DescribeConfigs} {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(3))
		if err != nil {
			t.Fatal(err)
		}
		defer cluster.Close()
		o := Options{Brokers: cluster.ListenAddrs()}
		if _, err := CreateTopics(testContext(t), o, TopicSettings{}); err != nil {
			t.Fatal(err)
		}
		early := kfake.Fault{Keys: []kmsg.Key{key}, Topic: o.Topic(schemas.Raw), Err: kerr.UnknownTopicOrPartition, Count: 1}
		if key == kmsg.DescribeConfigs {
			early.Topic, early.Resource = "", o.Topic(schemas.Raw)
		}
		fault := cluster.Fault(early)
		if _, err := CheckTopics(testContext(t), o, TopicSettings{}); err == nil {
			t.Errorf("%v: a topic that is not known is no error", key)
		}
		fault.Remove()
		cluster.Fault(early)
		if _, err := CheckCreated(testContext(t), o, TopicSettings{}); err != nil {
			t.Errorf("%v: %v, though it is known soon after", key, err)
		}
	}
}

func TestCheckTopicsSeesWhatIsWrong(t *testing.T) {
	cluster, o := fake(t) // one broker: replication and sizes are the broker's defaults
	if err := cluster.DeleteTopic(o.Topic(schemas.DispositionTopic)); err != nil {
		t.Fatal(err)
	}
	if err := cluster.CreateTopic(o.Topic(schemas.DispositionTopic), 5, nil); err != nil {
		t.Fatal(err)
	}
	_, err := CheckTopics(testContext(t), o, TopicSettings{Safety: Warn})
	for _, want := range []string{"kyc.disposition.v1 (5)", "max.message.bytes is below"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestCreateAndCheckOnARealBroker(t *testing.T) {
	o := real(t) // creates
	warnings, err := CheckTopics(testContext(t), o, TopicSettings{Safety: Warn})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("warnings: %q", warnings)
}

// Kafka below 2.8 has no topic ids, which claims are made of.
func TestKafkaWithoutTopicIDsIsRefused(t *testing.T) {
	_, o := fake(t, kfake.MaxVersions(kversion.V2_7_0()))
	o.MaxMessageBytes = 1 << 20
	_, err := CheckTopics(testContext(t), o, TopicSettings{Safety: Warn})
	_, opened := OpenSession(testContext(t), o, slot())
	for what, err := range map[string]error{"CheckTopics": err, "OpenSession": opened} {
		if !errors.Is(err, ErrTooOld) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "Kafka "+LeastKafka) {
			t.Errorf("%s: %v, want one line with ErrTooOld and the least version", what, err)
		}
	}
	_, o = fake(t, kfake.MaxVersions(kversion.V2_8_0()))
	o.MaxMessageBytes = 1 << 20
	if _, err := CheckTopics(testContext(t), o, TopicSettings{Safety: Warn}); err != nil {
		t.Errorf("the least version: %v, want no error", err)
	}
}

func TestCheckPrefix(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	at := func(prefix string) Options { return Options{Brokers: cluster.ListenAddrs(), TopicPrefix: prefix} }
	check := func(what, prefix, want string) {
		t.Helper()
		err := CheckPrefix(testContext(t), at(prefix))
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrTopics) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	check("an empty cluster", "kyc.", "")
	if err := cluster.CreateTopic("other.raw.v1", 1, nil); err != nil {
		t.Fatal(err)
	}
	check("a part of another set", "kyc.", "")
	if _, err := CreateTopics(testContext(t), at("kyc."), TopicSettings{Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	check("our own set", "kyc.", "")
	check("a wrong prefix", "kcy.", `no topic begins with kafka.topic_prefix "kcy.", and all of them with "kyc."`)
	for n := range 6 {
		if _, err := CreateTopics(testContext(t), at(fmt.Sprintf("env%d.", n)), TopicSettings{Partitions: 1}); err != nil {
			t.Fatal(err)
		}
	}
	check("one of several environments", "kcy.", `and all of them with "env0.", "env1.", "env2.", "env3.", "env4.", more: correct`)
	if err := cluster.CreateTopic("kcy.raw.v1", 1, nil); err != nil {
		t.Fatal(err)
	}
	check("a set of ours that is not whole", "kcy.", "")
}
