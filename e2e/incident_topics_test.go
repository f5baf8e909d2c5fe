package e2e

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/schemas"
)

// topicIncidents: somebody changes the topics under load, or holds a transaction in one.
func topicIncidents() []fault {
	return []fault{
		{name: "hung-transaction", does: "a foreign producer holds a transaction open in a topic of events", only: true, run: hungTransaction},
		{name: "partitions-added", does: "partitions are added to raw alone, under load", only: true, run: partitionsAdded},
		{name: "events-recreated", does: "a topic of events is deleted and created again, under load", only: true, run: eventsRecreated},
		{name: "raw-recreated", does: "raw is deleted and created again, under load", only: true, run: rawRecreated},
	}
}

// hungTransaction holds readers of one partition. What is seen names the topic, and the commands end it.
func hungTransaction(s *scene) {
	_, first, second := s.calm()
	p := s.runbook("Consumers stand still, though nothing is down")
	topic := s.prefix + schemas.Session
	foreign := s.connect(kgo.TransactionalID(s.prefix+"foreign"), kgo.TransactionTimeout(10*time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := foreign.BeginTransaction(); err != nil {
		s.Fatal(err)
	}
	if err := foreign.ProduceSync(context.Background(), &kgo.Record{Topic: topic, Partition: 1, Value: []byte("never committed")}).FirstErr(); err != nil {
		s.Fatal(err)
	}
	s.grow(100)
	p.rises("kycbridge_normalize_held_records", 0, first, second)
	p.rises("kycbridge_normalize_held_partition_records", 0, first, second)
	s.seen("the metrics", metrics(first), `kycbridge_normalize_held_partition_records{partition="1",topic="kyc.session.v1"}`)
	p.sees("/readyz", answers(first), "readers wait for an open transaction", "topic kyc.session.v1 partition 1")
	s.seen("the log", logs(first), "a transaction does not end", `"topic":"kyc.session.v1","partition":1`)
	if out := p.follow(0); !strings.Contains(out, s.prefix+"foreign") {
		s.Errorf("the list of transactions does not show the foreign one:\n%s", out)
	}
	described := columns(p.follow(1, "TRANSACTION="+s.prefix+"foreign"), "Ongoing")
	at := strings.LastIndex(described, "-")
	if at < 0 || described[:at] != topic {
		s.Fatalf("the description shows %q, want a partition of %s", described, topic)
	}
	where := []string{"TOPIC=" + described[:at], "PARTITION=" + described[at+1:]}
	began := columns(p.follow(2, where...), "\t")
	s.strike()
	p.follow(3, append(where, "START="+began)...)
	s.recover()
	s.stop() // transactions hold what they write while they last
	s.during.quiet(s)
	s.await("nothing is held any more", func() bool {
		return total("kycbridge_normalize_held_records", first, second) == 0
	})
	s.verdict()
}

// columns is the last column of the last line of a table of Kafka's tools that holds some text; of the producers of a
// partition, the one that has a transaction open has a number there, and the others a word.
func columns(table, with string) (last string) {
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		if len(words) < 2 || !strings.Contains(line, with) || strings.HasPrefix(line, "ProducerId") {
			continue
		}
		if _, err := strconv.ParseInt(words[len(words)-1], 10, 64); err == nil || with != "\t" {
			last = words[len(words)-1]
		}
	}
	return last
}

// partitionsAdded: the old partitions go on, the new one is named, and the section's commands complete it.
func partitionsAdded(s *scene) {
	_, first, second := s.calm()
	p := s.runbook("Partitions were added to the raw topic alone")
	if out, err := s.shell(`kafka-topics.sh --bootstrap-server "$KAFKA" --alter --topic "${PREFIX}raw.v1" --partitions 6`); err != nil {
		s.Fatalf("%v\n%s", err, out)
	}
	s.grow(100)
	p.sees("/readyz", unready(first, second), "topic kyc.disposition.v1 has 4 partitions and kyc.raw.v1 has 6")
	p.rises("kycbridge_normalize_waiting", 0, first, second)
	before := s.disposed()
	s.await("the healthy partitions go on", func() bool { return s.disposed() > before+50 })
	p.follow(0, "PARTITIONS=6")
	s.strike()
	first.ready(s)
	second.ready(s)
	s.recover()
	s.grow(100)
	s.verdict("unconfirmed")
}

// eventsRecreated: events of one kind are gone, from Kafka and not from the ledger. They are told of within
// seconds, the others go on, and a replay brings them back.
func eventsRecreated(s *scene) {
	_, first, second := s.calm()
	s.grow(100)
	p := s.runbook("A topic was deleted and created again")
	topic := s.prefix + schemas.Session
	s.stop() // what was read of the topic before would be taken for what is in it
	s.during.quiet(s)
	ctx := context.Background()
	if _, err := s.admin.DeleteTopic(ctx, topic); err != nil {
		s.Fatal(err)
	}
	d := delivery{key: s.load.id(1_000_000)}
	d.body = event(d.key, "workflow.session.completed", `{"id":"%s","status":"complete","outcome":"clear","updatedAt":"%s"}`, "nothing-subject", "2026-01-02T03:00:00.000Z")
	s.await("a delivery for the topic that is gone is accepted", func() bool { return s.load.send(newClient(), s.hooks.any(), d) == http.StatusOK })
	p.sees("/readyz", func() string { return answers(first)() + answers(second)() }, "topic kyc.session.v1 is gone")
	p.follow(0)
	for _, m := range []*member{first, second} {
		m.endsNaming(topic)
		m.again() // as its supervisor does
	}
	s.strike()
	s.during.stop()
	s.during = read(s, s.kafka, s.prefix)
	s.during.quiet(s)
	p.follow(1)
	s.resend(200)
	s.slowest = time.Since(s.struck)
	s.during.quiet(s)
	s.verdict()
}

// endsNaming waits until a process has ended with an error about a topic that was made anew.
func (m *member) endsNaming(topic string) {
	m.s.Helper()
	if last, code := m.ends(); code == 0 || !strings.Contains(last, topic) || !strings.Contains(last, "the topic was deleted and created again") {
		m.s.Errorf("it ended with code %d and %q, want an error about %s", code, last, topic)
	}
}

// rawRecreated: what the old topic's claims say must drop nothing of the new one, and whoever reads the old one says
// so and ends, while vendors go on.
func rawRecreated(s *scene) {
	in, first, second := s.calm()
	p := s.runbook("A topic was deleted and created again")
	s.stop()
	s.during.quiet(s)
	s.during.stop()
	ctx, raw := context.Background(), s.prefix+schemas.Raw
	if _, err := s.admin.DeleteTopic(ctx, raw); err != nil {
		s.Fatal(err)
	}
	s.load = newLoad("anew")
	s.during = read(s, s.kafka, s.prefix)
	ctx, cancel := context.WithCancel(ctx)
	sent := make(chan struct{})
	go func() { defer close(sent); s.post(ctx, 7) }()
	defer func() { cancel(); <-sent }()
	p.follow(0)
	p.sees("the log", logs(first, second), "kyc.raw.v1")
	s.strike()
	for _, m := range []*member{first, second} {
		m.endsNaming(raw)
		m.again()
	}
	in.endsNaming(raw)
	in.again()
	s.grow(60)
	cancel()
	<-sent
	s.await("everything that the new topic took comes out", func() bool {
		lost, _ := tallied(s.load, sorted(s, s.during.snapshot()))
		return lost == 0
	})
	s.slowest = time.Since(s.struck)
	if _, doubled := tallied(s.load, sorted(s, s.during.snapshot())); doubled > 0 {
		s.Errorf("%d doubled", doubled)
	}
	report.add(row{fault: s.f.name, does: s.f.does, kafka: s.broker(), deliveries: s.load.accepted(), recovery: s.slowest, failed: s.Failed()})
	s.entered = true
}
