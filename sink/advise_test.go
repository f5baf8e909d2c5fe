package sink

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/kycbridge/kycbridge/schemas"
)

// sound is a cluster about which there is nothing to say.
func sound() *facts {
	o, f := Options{}, &facts{
		brokers: []int32{1, 2, 3}, topics: map[string]topicFacts{},
		settings: map[int32]map[string]string{}, features: map[string]int16{"transaction.version": 2},
	}
	for _, plan := range PlanTopics(o, TopicSettings{}, 3, nil) {
		settings := map[string]string{"unclean.leader.election.enable": "false", "retention.bytes": "-1", "message.timestamp.type": "CreateTime"}
		for key, value := range plan.Configs {
			settings[key] = value
		}
		f.topics[plan.Name] = topicFacts{plan.Partitions, int(plan.Replication), settings}
	}
	for _, name := range internalTopics {
		f.topics[name] = topicFacts{50, 3, map[string]string{"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}}
	}
	for _, id := range f.brokers {
		f.settings[id] = map[string]string{
			"transaction.max.timeout.ms": "900000", "transaction.state.log.replication.factor": "3", "offsets.topic.replication.factor": "3",
			"transaction.state.log.min.isr": "2", "add.partitions.to.txn.retry.backoff.ms": "1", "offsets.retention.minutes": "20160",
		}
	}
	return f
}

// TestAdviseTwins: twins are looked at where there must be some.
func TestAdviseTwins(t *testing.T) {
	o := Options{Brokers: []string{"k:1"}, JSON: true}
	for _, test := range []struct {
		twin, events int32
		mend         string
	}{
		{12, 12, ""},
		{6, 12, "--alter --topic kyc.aml.v1.json --partitions 12"},
		{12, 6, "--alter --topic kyc.aml.v1 --partitions 12"},
	} {
		f := sound()
		for _, plan := range PlanTopics(o, TopicSettings{}, 3, nil) {
			f.topics[plan.Name] = topicFacts{plan.Partitions, int(plan.Replication), plan.Configs}
		}
		for name, n := range map[string]int32{"kyc.aml.v1.json": test.twin, "kyc.aml.v1": test.events} {
			t := f.topics[name]
			t.partitions = n
			f.topics[name] = t
		}
		var mend []string
		for _, x := range advise(o, TopicSettings{}, f) {
			if x.Level != OK {
				mend = append(mend, string(x.Level)+" "+x.Where+": "+x.Fix)
			}
		}
		if got := strings.Join(mend, "; "); (got == "") != (test.mend == "") || !strings.HasSuffix(got, test.mend) {
			t.Errorf("twin %d, events %d: %q", test.twin, test.events, got)
		}
	}
	if missing := advise(o, TopicSettings{}, sound()); missing[0].Where != "kyc.session.v1.json" || !missing[0].Missing() {
		t.Errorf("the first finding where twins are missing is %+v", missing[0])
	}
}

func TestAdviseSoundCluster(t *testing.T) {
	findings := advise(Options{}, TopicSettings{}, sound())
	if slices.ContainsFunc(findings, func(f Finding) bool { return f.Level != OK }) {
		t.Errorf("%v", findings)
	}
	if len(findings) < 10*len(schemas.Topics()) {
		t.Errorf("only %d comparisons", len(findings))
	}
}

func TestAdvise(t *testing.T) {
	set := func(topic, key, value string) func(*facts) {
		return func(f *facts) { f.topics[topic].settings[key] = value }
	}
	change := func(topic string, with func(*topicFacts)) func(*facts) {
		return func(f *facts) {
			state := f.topics[topic]
			with(&state)
			f.topics[topic] = state
		}
	}
	broker := func(key, value string) func(*facts) { return func(f *facts) { f.settings[2][key] = value } }
	const alter = "kafka-configs.sh --bootstrap-server k:1 --alter --entity-type topics --entity-name "
	for _, test := range []struct {
		change func(*facts)
		want   string // level, where, setting, found, expected
		mend   string // part of it
	}{
		{func(f *facts) { delete(f.topics, "kyc.aml.v1") }, "unsafe kyc.aml.v1 topic missing present", "topics create"},
		{change("kyc.hydrate.v1", func(s *topicFacts) { s.partitions = 6 }), "unsafe kyc.hydrate.v1 partitions 6 12", "kafka-topics.sh --bootstrap-server k:1 --alter --topic kyc.hydrate.v1 --partitions 12"},
		{change("kyc.hydrate.v1", func(s *topicFacts) { s.partitions = 24 }), "unsafe kyc.hydrate.v1 partitions 24 12", "delete the topic"},
		{change("kyc.aml.v1", func(s *topicFacts) { s.partitions = 6 }), "", ""},
		{change("kyc.raw.v1", func(s *topicFacts) { s.replication = 2 }), "unsafe kyc.raw.v1 replication factor 2 3 or more", "kafka-reassign-partitions.sh"},
		{change("__transaction_state", func(s *topicFacts) { s.replication = 1 }), "unsafe __transaction_state replication factor 1 3 or more", "in PLAN"},
		{set("kyc.raw.v1", "min.insync.replicas", "1"), "unsafe kyc.raw.v1 min.insync.replicas 1 2", alter + "kyc.raw.v1 --add-config min.insync.replicas=2"},
		{func(f *facts) {
			change("kyc.raw.v1", func(s *topicFacts) { s.replication = 1 })(f)
			set("kyc.raw.v1", "min.insync.replicas", "1")(f)
		}, "unsafe kyc.raw.v1 replication factor 1 3 or more; unsafe kyc.raw.v1 min.insync.replicas 1 2", "once the replication factor is raised"},
		{set("__transaction_state", "min.insync.replicas", "1"), "unsafe __transaction_state min.insync.replicas 1 2", alter + "__transaction_state"},
		{set("kyc.raw.v1", "min.insync.replicas", "3"), "advice kyc.raw.v1 min.insync.replicas 3 less than the replication factor 3", "min.insync.replicas=2"},
		{set("kyc.raw.v1", "unclean.leader.election.enable", "true"), "unsafe kyc.raw.v1 unclean.leader.election.enable true false", alter},
		{set("kyc.raw.v1", "cleanup.policy", "compact"), "unsafe kyc.raw.v1 cleanup.policy compact delete", alter},
		{set("kyc.raw.v1", "retention.bytes", "1000"), "unsafe kyc.raw.v1 retention.bytes 1000 -1", alter},
		{set("kyc.raw.v1", "max.message.bytes", "1048588"), "unsafe kyc.raw.v1 max.message.bytes 1048588 4194304 or more", "max.message.bytes=4194304"},
		{set("kyc.raw.v1", "retention.ms", "1000"), "unsafe kyc.raw.v1 retention.ms 1000 1209600000", "retention.ms=1209600000"},
		{set("kyc.raw.v1", "retention.ms", "-1"), "advice kyc.raw.v1 retention.ms -1 1209600000", "retention.ms=1209600000"},
		{set("kyc.disposition.v1", "retention.ms", "1000"), "unsafe kyc.disposition.v1 retention.ms 1000 34560000000 or more", ""},
		{set("kyc.disposition.v1", "retention.ms", "-1"), "", ""},
		{set("kyc.check.v1", "retention.ms", "1000"), "advice kyc.check.v1 retention.ms 1000 2592000000 or more", ""},
		{set("kyc.check.v1", "message.timestamp.type", "LogAppendTime"), "advice kyc.check.v1 message.timestamp.type LogAppendTime CreateTime", alter},
		{broker("transaction.max.timeout.ms", "5000"), "unsafe broker 2 transaction.max.timeout.ms 5000 15000 or more", "server.properties"},
		{broker("add.partitions.to.txn.retry.backoff.ms", "20"), "advice broker 2 add.partitions.to.txn.retry.backoff.ms 20 1", "add.partitions.to.txn.retry.backoff.ms=1"},
		{broker("offsets.retention.minutes", "10080"), "advice broker 2 offsets.retention.minutes 10080 20160 or more", "offsets.retention.minutes=20160"},
		{broker("transaction.state.log.min.isr", "1"), "advice broker 2 transaction.state.log.min.isr 1 2", "server.properties"},
		{func(f *facts) {
			delete(f.topics, "__transaction_state")
			broker("transaction.state.log.min.isr", "1")(f)
		}, "unsafe broker 2 transaction.state.log.min.isr 1 2", "server.properties"},
		{func(f *facts) { f.features["transaction.version"] = 1 }, "advice cluster transaction.version 1 2", "kafka-features.sh --bootstrap-server k:1 upgrade"},
		{func(f *facts) { f.features = nil }, "advice cluster transaction.version unknown 2", "4.0"},
		{func(f *facts) { f.unread = []string{"broker 1"} }, "advice broker 1  not readable readable", "DescribeConfigs"},
	} {
		f := sound()
		test.change(f)
		var got []string
		var mend string
		for _, x := range advise(Options{Brokers: []string{"k:1"}}, TopicSettings{}, f) {
			if x.Level != OK {
				got, mend = append(got, fmt.Sprintf("%s %s %s %s %s", x.Level, x.Where, x.Setting, x.Found, x.Expected)), x.Fix
				if x.Why == "" || x.Fix == "" {
					t.Errorf("%v says not why, or not what to do", x)
				}
			}
		}
		if strings.Join(got, "; ") != test.want || !strings.Contains(mend, test.mend) {
			t.Errorf("found %q, mended by %q; want %q and %q", got, mend, test.want, test.mend)
		}
	}
}

// TestInspect: what PlanTopics makes is what Inspect wants to see.
func TestInspect(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	o := Options{Brokers: cluster.ListenAddrs()}
	if _, err := CreateTopics(testContext(t), o, TopicSettings{}); err != nil {
		t.Fatal(err)
	}
	findings, err := Inspect(testContext(t), o, TopicSettings{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.Level == Unsafe {
			t.Errorf("%v", f)
		}
	}
	if len(findings) < 5*len(schemas.Topics()) {
		t.Errorf("only %d comparisons: %v", len(findings), findings)
	}
}
