package sink

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/schemas"
)

func TestPlanTopics(t *testing.T) {
	type want struct {
		partitions  int32
		replication int16
		minISR      string
	}
	tests := []struct {
		name     string
		settings TopicSettings
		brokers  int
		existing map[string]int32
		raw      want
	}{
		{"defaults on one broker", TopicSettings{}, 1, nil, want{12, 1, "1"}},
		{"two brokers", TopicSettings{}, 2, nil, want{12, 2, "1"}},
		{"five brokers", TopicSettings{Partitions: 4}, 5, nil, want{4, 3, "2"}},
		{"replication as configured", TopicSettings{Replication: 2}, 5, nil, want{12, 2, "1"}},
		{"the count of what is there", TopicSettings{}, 1, map[string]int32{"kyc.disposition.v1": 7, "kyc.aml.v1": 3}, want{7, 1, "1"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plans := PlanTopics(Options{}, test.settings, test.brokers, test.existing)
			if len(plans) != len(schemas.Topics()) {
				t.Fatalf("%d plans for %d topics", len(plans), len(schemas.Topics()))
			}
			got := want{plans[0].Partitions, plans[0].Replication, plans[0].Configs["min.insync.replicas"]}
			if plans[0].Name != "kyc.raw.v1" || got != test.raw {
				t.Errorf("%s: %+v, want %+v", plans[0].Name, got, test.raw)
			}
		})
	}
}

// TestPlanOfTwins: with JSON, each topic of events gets a twin that is like it, in the count that it has itself.
func TestPlanOfTwins(t *testing.T) {
	plans := map[string]TopicPlan{}
	for _, plan := range PlanTopics(Options{TopicPrefix: "x.", JSON: true}, TopicSettings{DomainRetention: 3 * day}, 3, map[string]int32{"x.aml.v1": 3, "x.raw.v1": 5}) {
		plans[plan.Name] = plan
	}
	for _, topic := range schemas.JSONTopics() {
		twin, want := plans["x."+topic.Base], int32(12)
		if topic.TwinOf == schemas.Aml {
			want = 3
		}
		if twin.Partitions != want || twin.Replication != 3 || twin.Configs["retention.ms"] != millis(3*day) {
			t.Errorf("%s is planned as %+v, want %d partitions", topic.Base, twin, want)
		}
	}
	if len(plans) != len(schemas.Topics())+len(schemas.JSONTopics()) {
		t.Errorf("%d plans", len(plans))
	}
}

func TestPlanKeepsEachClassAsLongAsItMust(t *testing.T) {
	want := map[string]time.Duration{
		schemas.Raw: 14 * day, schemas.Hydrate: 14 * day, schemas.HydrateWait: 14 * day,
		schemas.Session: 30 * day, schemas.Check: 30 * day, schemas.Aml: 30 * day, schemas.Renewal: 30 * day, schemas.Resource: 30 * day,
		schemas.DispositionTopic: 400 * day, schemas.DeadLetterTopic: 30 * day,
	}
	for i, plan := range PlanTopics(Options{MaxMessageBytes: 1 << 21}, TopicSettings{}, 1, nil) {
		base := schemas.Topics()[i].Base
		c := plan.Configs
		if c["retention.ms"] != millis(want[base]) || c["segment.ms"] != "86400000" || c["cleanup.policy"] != "delete" || c["max.message.bytes"] != "2097152" {
			t.Errorf("%s: %v, want it kept for %s", base, c, want[base])
		}
	}
}

// whole gives a cluster on which everything is right.
func whole() map[string]topicState {
	found := map[string]topicState{}
	for _, topic := range schemas.Topics() {
		found[Options{}.Topic(topic.Base)] = topicState{partitions: 12, replication: 3, minISR: 2, maxMessageBytes: DefaultMaxMessageBytes, id: TopicID{1}, retention: 14 * day}
	}
	return found
}

func TestJudge(t *testing.T) {
	change := func(name string, with func(*topicState)) func(map[string]topicState) {
		return func(found map[string]topicState) {
			state := found[name]
			with(&state)
			found[name] = state
		}
	}
	tests := []struct {
		name   string
		change func(map[string]topicState)
		always bool   // an error under WARN too
		want   string // part of the error or warning; empty means none
	}{
		{"all is well", func(map[string]topicState) {}, false, ""},
		{"a topic is missing", func(f map[string]topicState) { delete(f, "kyc.aml.v1") }, true, "topics are missing: kyc.aml.v1: create them with " + CreateCommand},
		{"counts differ", change("kyc.hydrate.v1", func(s *topicState) { s.partitions = 6 }), true, "kyc.raw.v1 (12), kyc.hydrate.v1 (6)"},
		{"an event topic may have its own count", change("kyc.aml.v1", func(s *topicState) { s.partitions = 3 }), false, ""},
		{"records too large", change("kyc.raw.v1", func(s *topicState) { s.maxMessageBytes = 1_000_012 }), true, "kyc.raw.v1 (1000012)"},
		{"settings unread", change("kyc.raw.v1", func(s *topicState) { s.maxMessageBytes, s.minISR, s.retention = 0, 0, 0 }), false, ""},
		{"no topic ids", change("kyc.hydrate.v1", func(s *topicState) { s.id = TopicID{} }), true, "topic kyc.hydrate.v1 has no id, want one, as Kafka 2.8 and newer give: upgrade the brokers"},
		{"records outlive marks", change("kyc.hydrate.v1", func(s *topicState) { s.retention = 16*day + 1 }), true, "retention.ms of kyc.hydrate.v1 is 1382400000 (384h0m0.000000001s), longer than dedupe.ttl 384h0m0s: marks would end before the records they are for; raise dedupe.ttl, or set retention.ms to 1209600000"},
		{"records live for ever", change("kyc.raw.v1", func(s *topicState) { s.retention = -1 }), true, "retention.ms of kyc.raw.v1 is -1 (for ever), longer than dedupe.ttl"},
		{"records live as long as marks", change("kyc.raw.v1", func(s *topicState) { s.retention = 16 * day }), false, ""},
		{"events live for ever", change("kyc.aml.v1", func(s *topicState) { s.retention = -1 }), false, ""},
		{"replication", change("kyc.raw.v1", func(s *topicState) { s.replication = 2 }), false, "replication factor below 3: kyc.raw.v1 (2)"},
		{"replication everywhere", func(f map[string]topicState) {
			for name := range f {
				change(name, func(s *topicState) { s.replication = 1 })(f)
			}
		}, false, "replication factor below 3: all topics (1)"},
		{"in-sync replicas", change("kyc.raw.v1", func(s *topicState) { s.minISR = 1 }), false, "min.insync.replicas below 2: kyc.raw.v1 (1)"},
		{"unclean election", change("kyc.raw.v1", func(s *topicState) { s.unclean = true }), false, "unclean.leader.election.enable is on: kyc.raw.v1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			found := whole()
			test.change(found)
			_, err := judge(Options{}, TopicSettings{MarkLife: 16 * day}, found)
			check(t, "REFUSE", err, test.want)
			warnings, err := judge(Options{}, TopicSettings{MarkLife: 16 * day, Safety: Warn}, found)
			if test.always {
				check(t, "WARN", err, test.want)
				return
			}
			if err != nil {
				t.Errorf("WARN: %v", err)
			}
			if got := strings.Join(warnings, "; "); (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
				t.Errorf("WARN: warnings %q, want %q", got, test.want)
			}
		})
	}
}

func check(t *testing.T, mode string, err error, want string) {
	t.Helper()
	if want == "" && err != nil {
		t.Errorf("%s: %v", mode, err)
	}
	if want != "" && (!errors.Is(err, ErrTopics) || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: %v, want %q", mode, err, want)
	}
}

// A process that makes no marks compares none; raw records that live too short are told
// of, whatever is safe.
func TestJudgeOfRetention(t *testing.T) {
	found := whole()
	state := found["kyc.raw.v1"]
	state.retention = -1
	found["kyc.raw.v1"] = state
	if warnings, err := judge(Options{}, TopicSettings{}, found); err != nil || len(warnings) != 0 {
		t.Errorf("without marks: %q, %v, want nothing", warnings, err)
	}
	state.retention = day
	found["kyc.raw.v1"] = state
	const want = "retention.ms of kyc.raw.v1 is 86400000 (24h0m0s), less than topics.raw_retention 336h0m0s: what is not processed by then is lost; raise it on the topic, or lower topics.raw_retention"
	for _, safety := range []Safety{Warn, Refuse} {
		warnings, err := judge(Options{}, TopicSettings{Safety: safety, MarkLife: 16 * day}, found)
		if err != nil || len(warnings) != 1 || warnings[0] != want {
			t.Errorf("%s: %q, %v, want the warning %q", safety, warnings, err, want)
		}
	}
}
