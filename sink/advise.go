package sink

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/schemas"
)

// Level is how much a Finding matters.
type Level string

const (
	// OK: as it should be.
	OK Level = "ok"
	// Note: works and loses nothing, and could be better.
	Note Level = "advice"
	// Unsafe: records can be lost or refused.
	Unsafe Level = "unsafe"
)

// Finding is one comparison.
type Finding struct {
	Level    Level
	Where    string // a topic, a broker or "cluster"
	Setting  string
	Found    string
	Expected string
	Why      string // what it leads to; empty for OK
	Fix      string // the command, or what to do; empty for OK
}

const missingTopic = "missing"

// Missing reports whether the finding is that one of our topics is not there.
func (f Finding) Missing() bool { return f.Found == missingTopic }

const (
	copies   = 3                // of each partition: one broker may die, one be restarted
	inSync   = 2                // of them have a record before it is acknowledged
	openTime = 15 * time.Second // the default of normalize.transaction_timeout
)

// advise judges facts. It is pure; the order of findings is that of the report.
func advise(o Options, s TopicSettings, f *facts) []Finding {
	a := &adviser{options: o, settings: s.withDefaults(), facts: f, server: strings.Join(o.addresses(), ",")}
	a.catalogue()
	a.partitions()
	a.twins()
	for _, topic := range o.Catalogue() {
		if t, ok := f.topics[o.Topic(topic.Base)]; ok {
			a.copies(o.Topic(topic.Base), t)
			a.topic(o.Topic(topic.Base), topic, t)
		}
	}
	for _, name := range internalTopics {
		if t, ok := f.topics[name]; ok {
			a.copies(name, t)
		}
	}
	for _, id := range f.brokers {
		a.broker(id)
	}
	a.features()
	for _, what := range f.unread {
		a.found = append(a.found, Finding{Note, what, "", "not readable", "readable", "its safety is not checked", "grant this user DescribeConfigs on it"})
	}
	return a.found
}

type adviser struct {
	options  Options
	settings TopicSettings
	facts    *facts
	server   string
	found    []Finding
}

// compare adds a finding: fine, or one of the given level.
func (a *adviser) compare(fine bool, otherwise Finding) {
	if fine {
		otherwise.Level, otherwise.Why, otherwise.Fix = OK, "", ""
	}
	a.found = append(a.found, otherwise)
}

func (a *adviser) catalogue() {
	for _, topic := range a.options.Catalogue() {
		if _, ok := a.facts.topics[a.options.Topic(topic.Base)]; !ok {
			a.compare(false, Finding{Unsafe, a.options.Topic(topic.Base), "topic", missingTopic, "present", "no process starts without it", "kycbridge topics create --config FILE"})
		}
	}
}

// partitions compares the counts of the topics that must have the raw topic's.
func (a *adviser) partitions() {
	raw, ok := a.facts.topics[a.options.Topic(schemas.Raw)]
	for _, topic := range a.options.Catalogue() {
		name := a.options.Topic(topic.Base)
		t, there := a.facts.topics[name]
		if !ok || !there || !topic.CoPartitioned {
			continue
		}
		fix := fmt.Sprintf("stop all processes, then: %s --alter --topic %s --partitions %d", a.tool("kafka-topics"), name, raw.partitions)
		if t.partitions > raw.partitions {
			fix = "delete the topic if it is empty and run `kycbridge topics create`; otherwise its records must be written again"
		}
		a.compare(t.partitions == raw.partitions, Finding{Unsafe, name, "partitions", strconv.Itoa(int(t.partitions)), strconv.Itoa(int(raw.partitions)),
			"processes refuse to start: these topics must be co-partitioned", fix})
	}
}

// twins compares the counts of twins with those of their topics.
func (a *adviser) twins() {
	for _, topic := range a.options.Catalogue() {
		name, of := a.options.Topic(topic.Base), a.options.Topic(topic.TwinOf)
		t, there := a.facts.topics[name]
		events, ok := a.facts.topics[of]
		if topic.TwinOf == "" || !ok || !there {
			continue
		}
		fix := fmt.Sprintf("%s --alter --topic %s --partitions %d", a.tool("kafka-topics"), name, events.partitions)
		if t.partitions > events.partitions {
			fix = fmt.Sprintf("%s --alter --topic %s --partitions %d", a.tool("kafka-topics"), of, t.partitions)
		}
		a.compare(t.partitions == events.partitions, Finding{Note, name, "partitions", strconv.Itoa(int(t.partitions)), strconv.Itoa(int(events.partitions)),
			"a subject's JSON is in another partition than its events on " + of, fix})
	}
}

// copies judges what every topic must have, Kafka's own included.
func (a *adviser) copies(name string, t topicFacts) {
	fix := fmt.Sprintf("%s --execute --reassignment-json-file PLAN, with %d replicas for each of their partitions in PLAN", a.tool("kafka-reassign-partitions"), copies)
	if len(a.facts.brokers) < copies {
		fix = fmt.Sprintf("add brokers until there are %d, then: %s", copies, fix)
	}
	a.compare(t.replication >= copies, Finding{Unsafe, name, "replication factor", strconv.Itoa(t.replication), "3 or more", "the loss of one disk loses records", fix})
	value, ok := t.settings["min.insync.replicas"]
	if !ok {
		return
	}
	n, _ := strconv.Atoi(value) // not a number: 0
	fix = a.alter(name, "min.insync.replicas", strconv.Itoa(inSync))
	if t.replication < inSync { // the topic could not be written any more
		fix = "once the replication factor is raised: " + fix
	}
	a.compare(n >= inSync, Finding{Unsafe, name, "min.insync.replicas", value, "2", "records are acknowledged (acks=all) that only one broker has", fix})
	if t.replication >= copies && n >= t.replication {
		a.compare(false, Finding{Note, name, "min.insync.replicas", value, fmt.Sprintf("less than the replication factor %d", t.replication),
			"with one broker down, nothing can be written", a.alter(name, "min.insync.replicas", strconv.Itoa(inSync))})
	}
	a.setting(name, t, "unclean.leader.election.enable", "false", Unsafe, "a lagging replica may become leader, and the records it lacks are lost")
}

// setting compares one setting of a topic with its only good value.
func (a *adviser) setting(name string, t topicFacts, key, want string, level Level, why string) {
	if value, ok := t.settings[key]; ok {
		a.compare(value == want, Finding{level, name, key, value, want, why, a.alter(name, key, want)})
	}
}

// topic judges the settings that only our topics need.
func (a *adviser) topic(name string, topic schemas.Topic, t topicFacts) {
	a.setting(name, t, "cleanup.policy", "delete", Unsafe, "compaction removes all but the last record of a subject")
	a.setting(name, t, "retention.bytes", "-1", Unsafe, "a burst pushes records out before they are read")
	a.setting(name, t, "message.timestamp.type", "CreateTime", Note, "record timestamps are then the broker's")
	size := int(a.options.maxMessageBytes())
	if value, ok := t.settings["max.message.bytes"]; ok {
		n, _ := strconv.Atoi(value)
		a.compare(n >= size, Finding{Unsafe, name, "max.message.bytes", value, fmt.Sprintf("%d or more", size),
			"large deliveries are refused", a.alter(name, "max.message.bytes", strconv.Itoa(size))})
	}
	a.retention(name, topic, t)
}

// retention: records may stay longer than configured, but then the marks that recognise a
// raw record when it is read again may expire first.
func (a *adviser) retention(name string, topic schemas.Topic, t topicFacts) {
	value, ok := t.settings["retention.ms"]
	if !ok {
		return
	}
	goal := a.settings.retention(topic.Retention).Milliseconds()
	n, _ := strconv.ParseInt(value, 10, 64)
	forever, want := n < 0, strconv.FormatInt(goal, 10)
	f := Finding{Note, name, "retention.ms", value, want + " or more", "consumers have less time than configured", a.alter(name, "retention.ms", want)}
	fine := forever || n >= goal
	switch topic.Retention {
	case schemas.RetainRaw:
		f.Expected, fine = want, n == goal
		f.Level, f.Why = Unsafe, "retention may remove deliveries before they are processed"
		if forever || n > goal {
			f.Level, f.Why = Note, "deduplication marks expire before the records they are for: raise topics.raw_retention instead, or lower this"
		}
	case schemas.RetainDisposition:
		f.Level, f.Why = Unsafe, "marks that Redis lost cannot be written again"
	}
	a.compare(fine, f)
}

// broker judges settings that no topic has.
func (a *adviser) broker(id int32) {
	where, settings := fmt.Sprintf("broker %d", id), a.facts.settings[id]
	number := func(key string, fine func(int64) bool, level Level, expected, why, fix string) {
		value, ok := settings[key]
		if !ok {
			return
		}
		n, err := strconv.ParseInt(value, 10, 64)
		a.compare(err == nil && fine(n), Finding{level, where, key, value, expected, why, fix})
	}
	number("transaction.max.timeout.ms", func(n int64) bool { return n >= openTime.Milliseconds() }, Unsafe,
		millis(openTime)+" or more", "no worker can begin a transaction", a.static("transaction.max.timeout.ms", "900000"))
	for _, key := range []string{"transaction.state.log.replication.factor", "offsets.topic.replication.factor"} {
		number(key, func(n int64) bool { return n >= copies }, a.unless(key), "3", "it is the default for a topic that everything depends on", a.static(key, "3"))
	}
	number("transaction.state.log.min.isr", func(n int64) bool { return n >= inSync }, a.unless("transaction.state.log"), "2",
		"it is the default for a topic that everything depends on", a.static("transaction.state.log.min.isr", "2"))
	number("add.partitions.to.txn.retry.backoff.ms", func(n int64) bool { return n <= 1 }, Note,
		"1", "each transaction waits up to this long for the one before it", a.static("add.partitions.to.txn.retry.backoff.ms", "1"))
	minutes := int64(a.settings.RawRetention / time.Minute)
	number("offsets.retention.minutes", func(n int64) bool { return n >= minutes }, Note,
		fmt.Sprintf("%d or more", minutes), "a consumer group that is stopped for longer starts again at the oldest raw record, which costs time", a.static("offsets.retention.minutes", strconv.FormatInt(minutes, 10)))
}

// unless gives the level of a default for one of Kafka's own topics: once the
// topic is there, its own line counts.
func (a *adviser) unless(key string) Level {
	name := internalTopics[0]
	if strings.HasPrefix(key, "offsets") {
		name = internalTopics[1]
	}
	if _, ok := a.facts.topics[name]; ok {
		return Note
	}
	return Unsafe
}

// features reports which transactions the cluster has settled on.
func (a *adviser) features() {
	f := Finding{Note, "cluster", "transaction.version", "unknown", "2", "the brokers do not rule out hanging transactions",
		a.tool("kafka-features") + " upgrade --feature transaction.version=2, once all brokers are 4.0 or newer"}
	if a.facts.features == nil {
		f.Why = "the brokers do not report it"
		a.compare(false, f)
		return
	}
	level := a.facts.features["transaction.version"]
	f.Found = strconv.Itoa(int(level))
	a.compare(level >= 2, f)
}

func (a *adviser) tool(name string) string { return name + ".sh --bootstrap-server " + a.server }

func (a *adviser) alter(topic, key, value string) string {
	return fmt.Sprintf("%s --alter --entity-type topics --entity-name %s --add-config %s=%s", a.tool("kafka-configs"), topic, key, value)
}

// static is for settings that only a restart applies.
func (a *adviser) static(key, value string) string {
	return fmt.Sprintf("%s=%s in server.properties of every broker, then restart them one after the other", key, value)
}
