package e2e

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// kafkaFaults: brokers go, move, refuse, lie and fall silent.
func kafkaFaults() []fault {
	return []fault{
		{name: "leaders-move", does: "leaders and coordinators move every 700 ms", short: true, brokers: 3, run: leadersMove},
		{name: "outage", does: "no broker can be reached for longer than a vendor waits", short: true, run: outage},
		{name: "broker-silent", does: "the broker takes deliveries and never answers", run: brokerSilent},
		{name: "broker-slow", does: "200 ms ± 100 ms on everything a broker is sent", run: brokerSlow},
		{name: "connections-cut", does: "every connection to Kafka is cut, every 300 ms", run: connectionsCut},
		{name: "produce-timed-out", does: "raw records are written, and the broker says that it ran out of time", run: produceTimedOut},
		{name: "produce-refused", does: "the broker refuses raw records: replicas, disk, size, rights, topic", run: produceRefused},
		{name: "event-refused", does: "one topic of a transaction refuses its record", run: eventRefused},
		{name: "commit-uncertain", does: "commits are answered with errors, applied or not", short: true, run: commitUncertain},
		{name: "rebalance-storm", does: "members join and leave the group every 300 ms", short: true, real: true, run: rebalanceStorm},
		{name: "offsets-reset", does: "the group's offsets are set back to the start, then deleted", short: true, run: offsetsReset},
		{name: "topic-recreated", does: "the raw topic is deleted and created again", real: true, run: topicRecreated},
		{name: "broker-kill", does: "`kill -9` of each broker in turn, and its restart", only: true, run: brokerKill},
		{name: "brokers-kill", does: "`kill -9` of all brokers at once, and their restart", only: true, run: brokersKill},
	}
}

func leadersMove(s *scene) {
	s.ordinary()
	for range 10 {
		s.fake.ShufflePartitionLeaders()
		s.fake.RehashCoordinators()
		pause(context.Background(), 700*time.Millisecond)
	}
	s.strike()
	s.recover()
	s.settle()
}

// outage is longer than ingest waits for Kafka's word, so that vendors see 503s:
// each must say when to come again.
func outage(s *scene) {
	in, _, _ := s.ordinary()
	before := rss(s, in)
	s.fake.down()
	s.expectRefusals(durationFrom(s, "KYCBRIDGE_TEST_OUTAGE", 15*time.Second))
	s.fake.up(s)
	s.strike()
	s.recover()
	if after := rss(s, in); after > before+256<<20 {
		s.Errorf("ingest grew from %d to %d bytes in the outage", before, after)
	}
	s.settle()
}

// expectRefusals lets the time of an outage pass, and then holds one answer against
// what a vendor must be told.
func (s *scene) expectRefusals(d time.Duration) {
	s.Helper()
	refused := make(chan http.Header, 1)
	go func() {
		probe := s.load.make(0)
		status, header := post(newClient(), s.hooks.any(), probe.body, sign(probe.body, secret))
		if status != http.StatusServiceUnavailable {
			s.Errorf("status %d while Kafka is away, want 503", status)
		}
		refused <- header
	}()
	pause(context.Background(), d)
	if after := (<-refused).Get("Retry-After"); after == "" {
		s.Error("a 503 without Retry-After")
	}
}

func brokerSilent(s *scene) {
	in, _, _ := s.ordinary()
	before := metric(in.admin, "go_goroutines")
	speak := s.fake.silence(kmsg.Produce)
	s.expectRefusals(14 * time.Second)
	if after := metric(in.admin, "go_goroutines"); after > before+200 {
		s.Errorf("%g goroutines, before Kafka fell silent %g", after, before)
	}
	speak()
	s.strike()
	s.recover()
	s.grow(40)
	s.settle()
}

func brokerSlow(s *scene) {
	s.ordinary()
	s.fake.delay(func() time.Duration { return time.Duration(100+rand.IntN(200)) * time.Millisecond })
	s.grow(25)
	s.fake.delay(nil)
	s.strike()
	s.recover()
	s.settle()
}

func connectionsCut(s *scene) {
	s.ordinary()
	for range 20 {
		s.fake.cut()
		pause(context.Background(), 300*time.Millisecond)
	}
	s.strike()
	s.recover()
	s.settle()
}

func produceTimedOut(s *scene) {
	s.ordinary()
	for range 4 {
		for _, err := range []*kerr.Error{kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend} {
			s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: s.prefix + schemas.Raw, Err: err, Count: 5})
			s.grow(30)
		}
	}
	s.strike()
	s.recover()
	s.settle()
}

// produceRefused: whatever the broker says, the vendor gets no success code until
// the record is there, and 503 is all it gets else.
func produceRefused(s *scene) {
	s.ordinary()
	for _, err := range []*kerr.Error{
		kerr.NotEnoughReplicas, kerr.KafkaStorageError, kerr.MessageTooLarge, kerr.TopicAuthorizationFailed, kerr.UnknownTopicOrPartition,
	} {
		s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: s.prefix + schemas.Raw, Err: err, Count: 5})
		s.grow(30)
	}
	s.strike()
	s.recover()
	s.settle()
}

func eventRefused(s *scene) {
	s.ordinary()
	for _, base := range []string{schemas.Session, schemas.DispositionTopic, schemas.DeadLetterTopic} {
		for _, err := range []*kerr.Error{kerr.MessageTooLarge, kerr.TopicAuthorizationFailed} {
			s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: s.prefix + base, Err: err, Count: 2})
			s.strike()
			s.recover()
		}
	}
	s.settle()
}

func commitUncertain(s *scene) {
	s.ordinary()
	for range 2 {
		for _, err := range []*kerr.Error{
			kerr.UnknownServerError, kerr.RequestTimedOut, kerr.ConcurrentTransactions, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress,
		} {
			s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: err, Count: 2})
			s.grow(15)
		}
		s.fake.cut()
		s.strike()
		s.recover()
	}
	s.settle()
}

// rebalanceStorm: strangers join the group and leave it again; each takes partitions
// along and works on none.
func rebalanceStorm(s *scene) {
	s.ordinary()
	before := s.disposed()
	for range 25 {
		stranger, err := kgo.NewClient(
			kgo.SeedBrokers(strings.Split(s.kafka, ",")...), kgo.ConsumerGroup(s.prefix+"kycbridge-normalize"),
			kgo.ConsumeTopics(s.prefix+schemas.Raw), kgo.Balancers(kgo.CooperativeStickyBalancer()),
			kgo.DisableAutoCommit(), kgo.RebalanceTimeout(5*time.Second), kgo.SessionTimeout(6*time.Second),
		)
		if err != nil {
			s.Fatal(err)
		}
		pause(context.Background(), 300*time.Millisecond)
		stranger.LeaveGroup()
		stranger.Close()
	}
	if s.disposed() == before {
		s.Errorf("not one delivery was disposed of during the storm")
	}
	s.strike()
	s.recover()
	s.settle()
}

// disposed is how many raw records readers know the fate of.
func (s *scene) disposed() int {
	s.during.mu.Lock()
	defer s.during.mu.Unlock()
	return len(s.during.disposed)
}

func offsetsReset(s *scene) {
	_, first, second := s.ordinary()
	s.grow(100)
	deleted := func() {
		if _, err := s.admin.DeleteGroup(context.Background(), s.prefix+"kycbridge-normalize"); err != nil {
			s.Fatal(err)
		}
	}
	for _, set := range []func(){s.rewind, deleted} {
		first.process.stop(s)
		second.process.stop(s)
		set()
		s.strike()
		first, second = first.again(), second.again()
		s.recover()
		s.grow(50)
	}
	s.settle()
}

// topicRecreated: a normaliser must not go on as if nothing had been, and what was
// claimed for the old topic must not drop what comes into the new one.
func topicRecreated(s *scene) {
	s.ingest()
	m := s.normalizer(0, "")
	s.during = read(s, s.kafka, s.prefix)
	client, d := newClient(), s.load.make(0)
	told := func() {
		s.Helper()
		s.await("the delivery is accepted", func() bool { return s.load.send(client, s.hooks.any(), d) == http.StatusOK })
	}
	emitted := func() int {
		n := 0
		for _, e := range sorted(s, s.during.snapshot()).events {
			if e.metadata.GetVendorEventId() == d.key {
				n++
			}
		}
		return n
	}
	told()
	s.await("the event comes out", func() bool { return emitted() == 1 })
	ctx, raw := context.Background(), s.prefix+schemas.Raw
	if _, err := s.admin.DeleteTopic(ctx, raw); err != nil {
		s.Fatal(err)
	}
	s.hooks = hookList{}
	s.ingest() // recreates the topic
	s.strike()
	last, code := m.ends()
	if code == 0 || !strings.Contains(last, raw) {
		s.Errorf("the normaliser ended with code %d and %q, want an error that names %s", code, last, raw)
	}
	m.again()
	told()
	s.await("the event of the new topic comes out", func() bool { return emitted() == 2 })
	s.slowest = time.Since(s.struck)
	report.add(row{fault: s.f.name, does: s.f.does, kafka: s.broker(), deliveries: s.load.accepted(), recovery: s.slowest, failed: s.Failed()})
	s.entered = true
}

// brokers are the real ones: `make services` keeps a pid file for each.
func brokers(s *scene) (pids []string) {
	dir := os.Getenv("KYCBRIDGE_SERVICES_DIR")
	if dir == "" {
		s.Skip("needs brokers that may be killed: set KYCBRIDGE_SERVICES_DIR, KAFKA_PORT, KAFKA_BROKERS and REDIS_PORT to those of `make services`")
	}
	for n := 1; n <= numberFrom(s, "KAFKA_BROKERS", 1); n++ {
		pids = append(pids, dir+"/kafka-"+strconv.Itoa(numberFrom(s, "KAFKA_BROKERS", 1))+"/node-"+strconv.Itoa(n)+"/pid")
	}
	return pids
}

// killPid is kill -9 of the process that a pid file names.
func (s *scene) killPid(file string) {
	s.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		s.Fatal(err)
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil {
		s.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.Fatal(err)
	}
}

// restartServices starts what does not run.
func (s *scene) restartServices() {
	s.Helper()
	if out, code := shell("../deploy/services/start.sh"); code != nil {
		s.Fatalf("deploy/services/start.sh: %v\n%s", code, out)
	}
}

func brokerKill(s *scene) {
	pids := brokers(s)
	if len(pids) < 3 {
		s.Skip("needs three brokers: KAFKA_BROKERS=3 make services")
	}
	s.ordinary()
	for _, pid := range pids {
		s.strike()
		s.killPid(pid)
		s.recover()
		s.restartServices()
		s.grow(100)
		pause(context.Background(), 6*time.Second) // until the replicas are whole again
	}
	s.settle()
}

func brokersKill(s *scene) {
	pids := brokers(s)
	s.ordinary()
	for _, pid := range pids {
		s.killPid(pid)
	}
	s.expectRefusals(15 * time.Second)
	s.restartServices()
	s.strike()
	s.recover()
	s.grow(100)
	s.settle()
}

// rss is the memory of a process, in bytes.
func rss(s *scene, m *member) int64 {
	v := metric(m.admin, "process_resident_memory_bytes")
	if v < 0 {
		s.Fatalf("%v does not tell its memory", m.args)
	}
	return int64(v)
}

// storedOnce: each accepted request stands in the raw topic once; what the producer
// sends again under the same number is the same record.
func storedOnce(s *scene, f found) {
	s.Helper()
	seen := map[string]int{}
	for _, record := range f.raw {
		seen[decode[*kycv1.RawEnvelope](s, record).GetDeliveryId()]++
	}
	for id, n := range seen {
		if n > 1 {
			s.Errorf("the request %s stands in the raw topic %d times", id, n)
		}
	}
}
