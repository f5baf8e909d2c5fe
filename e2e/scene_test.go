package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/schemas"
)

// scene is one run of a fault: a broker, a Redis, processes, and a sender that
// behaves as vendors do.
type scene struct {
	*testing.T
	f      fault
	fake   *fakeKafka // nil on a real Kafka
	kafka  string
	prefix string
	redis  *redisServer
	binary string

	load   *load
	during *reader
	admin  *kadm.Client
	hooks  hookList
	stop   func() // ends the sender, and waits for its last answer

	mu      sync.Mutex
	lives   int
	dead    map[string]time.Time // client ids of killed processes
	struck  time.Time
	ends    kadm.ListedOffsets // of raw when it struck
	slowest time.Duration
	since   time.Time          // see within
	begins  kadm.ListedOffsets // where what is read and judged begins; nil: at the start
	note    string
	entered bool
	proxy   *proxy
	pace    time.Duration // between two deliveries of a connection, at least
}

// hookList is where the sender finds an ingest.
type hookList struct {
	mu   sync.Mutex
	urls []string
}

func (h *hookList) add(listen string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.urls = append(h.urls, "http://"+listen+"/hooks/complycube")
}

func (h *hookList) remove(listen string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.urls = slices.DeleteFunc(h.urls, func(u string) bool { return strings.Contains(u, listen) })
}

func (h *hookList) any() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.urls) == 0 {
		return "http://127.0.0.1:1/nobody"
	}
	return h.urls[rand.IntN(len(h.urls))]
}

// newScene starts Kafka and Redis. On a real Kafka a scene has a topic prefix of
// its own; Redis is always a server of its own.
func newScene(t *testing.T, f fault, real bool) *scene {
	s := &scene{T: t, f: f, prefix: fmt.Sprintf("fault-%d.", time.Now().UnixNano()), dead: map[string]time.Time{}, stop: func() {}}
	s.binary = faultBinary(t, f.tags)
	s.redis = startRedis(t, f.redis...)
	if real {
		s.kafka, _ = realServices(t)
	} else {
		s.fake = startFake(t, max(f.brokers, 1))
		s.kafka = s.fake.address()
	}
	client := s.connect()
	s.admin = kadm.NewClient(client)
	s.load = newLoad(f.name)
	s.load.json = f.json
	s.write()
	if real {
		s.topics(client)
	}
	if s.fake != nil {
		s.bury(client)
	}
	return s
}

// connect makes a client of the scene's Kafka, which lives as long as the scene where nobody closes it before.
func (s *scene) connect(more ...kgo.Opt) *kgo.Client {
	s.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(strings.Split(s.kafka, ",")...)}, more...)...)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(client.Close)
	return client
}

// idle is the environment of a command, or of a process that nobody looks for.
func idle(client string) []string {
	return []string{"KYCBRIDGE_LISTEN=127.0.0.1:0", "KYCBRIDGE_ADMIN=127.0.0.1:0", "KYCBRIDGE_SECRET_COMPLYCUBE=" + secret, "KYCBRIDGE_CLIENT=" + client}
}

func (s *scene) configFile() string { return filepath.Join(s.redis.dir, "kycbridge.yaml") }

// write makes the configuration: time limits as short as the broker allows.
func (s *scene) write() {
	session, transaction := "2s", "5s"
	if s.fake == nil {
		session, transaction = "6s", "8s"
	}
	address := s.redis.addr
	if s.f.redisAddr != nil {
		address = s.f.redisAddr(s)
	}
	timing := fmt.Sprintf("  session_timeout: %s\n  heartbeat_interval: 0.3s\n  transaction_timeout: %s\n", session, transaction)
	partitions, batch := "  partitions: 4\n", "  slots: 1\n  batch_records: 100\n"
	if s.f.json {
		partitions += "  json: true\n"
	}
	if s.f.defaults {
		timing, partitions, batch = "", "", ""
	}
	yaml := fmt.Sprintf(`kafka:
  brokers: ["%s"]
  topic_prefix: "%s"
  client_id: "${KYCBRIDGE_CLIENT}"
redis:
  address: "%s"
topics:
  create_missing: true
%s  safety: SAFETY_WARN
ingest:
  listen: "${KYCBRIDGE_LISTEN}"
  drain_delay: 0.2s
normalize:
  shutdown_grace: 5s
%s%sadmin:
  listen: "${KYCBRIDGE_ADMIN}"
endpoints:
  - name: complycube
    provider: complycube
    environment: ENVIRONMENT_SANDBOX
    secrets:
      - id: primary
        value: "${KYCBRIDGE_SECRET_COMPLYCUBE}"
%s`, strings.ReplaceAll(s.kafka, ",", `", "`), s.prefix, address, partitions, batch, timing, s.f.config)
	if err := os.WriteFile(s.configFile(), []byte(yaml), 0o600); err != nil {
		s.Fatal(err)
	}
}

// topics makes the topics and waits until every broker knows them: what one broker
// has just made, another may still deny.
func (s *scene) topics(client *kgo.Client) {
	s.Helper()
	createTopics(s, s.configFile(), idle("topics"))
	s.await("the brokers know the topics", func() bool {
		brokers, err := s.admin.ListBrokers(context.Background())
		for _, b := range brokers {
			err = errors.Join(err, s.knows(client.Broker(int(b.NodeID))))
		}
		return err == nil
	})
}

// knows asks one broker for the topics and their leaders.
func (s *scene) knows(b *kgo.Broker) error {
	ask := kmsg.NewPtrMetadataRequest()
	for _, name := range topics(s.prefix) {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		ask.Topics = append(ask.Topics, t)
	}
	answer, err := ask.RequestWith(context.Background(), b)
	if err != nil {
		return err
	}
	for _, t := range answer.Topics {
		err = errors.Join(err, kerr.ErrorForCode(t.ErrorCode))
		for _, p := range t.Partitions {
			err = errors.Join(err, kerr.ErrorForCode(p.ErrorCode))
		}
	}
	return err
}

// member is one process of the scene.
type member struct {
	*stage
	s      *scene
	client string
	args   []string
	admin  string
}

// launch starts a process that may not become ready.
func (s *scene) launch(env []string, listen, admin string, args ...string) *member {
	s.Helper()
	s.mu.Lock()
	s.lives++
	m := &member{s: s, client: fmt.Sprintf("%s-%d", args[0], s.lives), args: args, admin: admin, stage: &stage{listen: listen}}
	s.mu.Unlock()
	env = append([]string{"KYCBRIDGE_LISTEN=" + listen, "KYCBRIDGE_ADMIN=" + admin, "KYCBRIDGE_SECRET_COMPLYCUBE=" + secret, "KYCBRIDGE_CLIENT=" + m.client}, env...)
	all := append(slices.Clone(args), "--config", s.configFile())
	if os.Getenv("KYCBRIDGE_TEST_LOG") != "" {
		all = append(all, "--log-level", "debug")
	}
	m.process = startBinary(s, s.binary, admin, env, all...)
	go func() {
		<-m.done
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dead[m.client] = time.Now()
	}()
	return m
}

func (s *scene) start(env []string, args ...string) *member {
	s.Helper()
	m := s.launch(env, freePort(s), freePort(s), args...)
	m.ready(s)
	if args[0] == "ingest" {
		s.hooks.add(m.listen)
	}
	return m
}

func (s *scene) ingest() *member { s.Helper(); return s.start(nil, "ingest") }

// normalizer starts one; failpoint may be empty.
func (s *scene) normalizer(instance int, failpoint string) *member {
	s.Helper()
	var env []string
	if failpoint != "" {
		env = []string{"KYCBRIDGE_FAILPOINT=" + failpoint}
	}
	return s.start(env, "normalize", "--instance", fmt.Sprint(instance))
}

// again starts the same process again, at the same addresses, with more in its environment.
func (m *member) again(env ...string) *member {
	m.s.Helper()
	n := m.s.launch(env, m.listen, m.admin, m.args...)
	n.ready(m.s)
	return n
}

// withdraw takes an ingest out of the rotation, and ends it.
func (m *member) withdraw() {
	m.s.Helper()
	m.s.hooks.remove(m.listen)
	m.process.stop(m.s)
}

// replaced puts another life of an ingest in the rotation, in the place of one that was withdrawn.
func (m *member) replaced(env ...string) *member {
	m.s.Helper()
	n := m.again(env...)
	m.s.hooks.add(n.listen)
	return n
}

// dies waits until the process has killed itself.
func (m *member) dies() {
	m.s.Helper()
	select {
	case <-m.done:
	case <-time.After(patience):
		m.s.Fatalf("%v never reached its failpoint", m.args)
	}
	if status := m.cmd.ProcessState.String(); status != "signal: killed" {
		m.s.Fatalf("%v ended with %s, expected that it kills itself\n%s", m.args, status, tail(m.log.String(), 2000))
	}
}

// ends waits until the process ends by itself, and returns what it printed last.
func (m *member) ends() (last string, code int) {
	m.s.Helper()
	select {
	case <-m.done:
	case <-time.After(patience):
		m.s.Fatalf("%v does not end", m.args)
	}
	lines := strings.Split(strings.TrimSpace(m.log.String()), "\n")
	return lines[len(lines)-1], m.cmd.ProcessState.ExitCode()
}

// send starts the sender: a few connections, each delivery one to three times, and
// every copy again until it has an answer that a vendor takes for final.
func (s *scene) send() {
	s.during = s.reads()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for c := range 6 {
		wg.Go(func() { s.post(ctx, uint64(c)) })
	}
	s.stop = func() { cancel(); wg.Wait() }
	s.Cleanup(s.stop)
}

// reads starts a consumer of all that the scene's processes write.
func (s *scene) reads() *reader {
	s.Helper()
	var more []string
	if s.f.json {
		more = twins(s.prefix)
	}
	return readFrom(s, s.kafka, s.prefix, s.begins, more...)
}

func (s *scene) post(ctx context.Context, seed uint64) {
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 2}}
	defer client.CloseIdleConnections()
	random := rand.New(rand.NewPCG(seed, 1))
	for ctx.Err() == nil {
		d := s.load.take()
		for range 1 + random.IntN(3) {
			for {
				status := s.load.send(client, s.hooks.any(), d)
				if status == http.StatusOK || status == http.StatusUnauthorized || ctx.Err() != nil {
					break
				}
				pause(ctx, 30*time.Millisecond)
			}
		}
		pause(ctx, s.pace+time.Duration(random.IntN(30))*time.Millisecond)
	}
}

// grow waits until so many more deliveries are accepted.
func (s *scene) grow(by int) {
	s.Helper()
	before := s.load.accepted()
	if !eventually(patience, func() bool { return s.load.accepted() >= before+by }) {
		s.Fatalf("only %d of %d deliveries accepted in %s", s.load.accepted()-before, by, patience)
	}
}

// strike notes the moment from which recovery is measured: that of a kill, or the
// end of an outage.
func (s *scene) strike() {
	s.struck = time.Now()
	s.ends, _ = s.admin.ListEndOffsets(context.Background(), s.prefix+schemas.Raw)
}

// recover waits until all that was in the raw topic at the strike is disposed of
// for readers, and something newer as well.
func (s *scene) recover() {
	s.Helper()
	if !eventually(patience, s.recovered) {
		s.Fatalf("no recovery within %s: %s%s", patience, s.during.missing(), s.during.behind())
	}
	s.slowest = max(s.slowest, time.Since(s.struck))
}

func (s *scene) recovered() bool {
	s.during.mu.Lock()
	defer s.during.mu.Unlock()
	newer := false
	for at, record := range s.during.records {
		if topicOf(at.topic).Base != schemas.Raw {
			continue
		}
		_, disposed := s.during.disposed[at]
		if end, ok := s.ends.Lookup(at.topic, at.partition); ok && at.offset < end.Offset && !disposed {
			return false
		}
		newer = newer || disposed && record.Timestamp.After(s.struck)
	}
	whole := true
	s.ends.Each(func(end kadm.ListedOffset) {
		whole = whole && s.during.next[end.Topic][end.Partition] >= end.Offset
	})
	return newer && whole
}

// bury takes killed processes out of the fake broker's groups, well after their
// session should have ended: that broker starts the timer of a session with its
// answer to a join, so a member that dies while it waits for it would stay.
func (s *scene) bury(client *kgo.Client) {
	ctx, cancel := context.WithCancel(context.Background())
	s.Cleanup(cancel)
	group := s.prefix + "kycbridge-normalize"
	go func() {
		for ctx.Err() == nil {
			pause(ctx, 500*time.Millisecond)
			dead := s.longDead()
			if len(dead) == 0 {
				continue
			}
			described, err := s.admin.DescribeGroups(ctx, group)
			if err != nil {
				continue
			}
			leave := kmsg.NewPtrLeaveGroupRequest()
			leave.Group = group
			for _, m := range described[group].Members {
				if slices.Contains(dead, m.ClientID) {
					gone := kmsg.NewLeaveGroupRequestMember()
					gone.MemberID = m.MemberID
					leave.Members = append(leave.Members, gone)
				}
			}
			if len(leave.Members) > 0 {
				_, _ = leave.RequestWith(ctx, client)
			}
		}
	}()
}

func (s *scene) longDead() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for client, since := range s.dead {
		if time.Since(since) > 4*time.Second {
			all = append(all, client)
		}
	}
	return all
}

// faultBinary builds the program once per set of build tags.
func faultBinary(t testing.TB, tags string) string {
	t.Helper()
	tags = strings.TrimPrefix(tags+",failpoints", ",")
	builds.mu.Lock()
	defer builds.mu.Unlock()
	if builds.paths == nil {
		builds.paths = map[string]string{}
	}
	if builds.paths[tags] == "" {
		path := filepath.Join(scratch, "kycbridge-"+strings.ReplaceAll(tags, ",", "-"))
		if out, err := exec.Command("go", "build", "-tags", tags, "-o", path, "../cmd/kycbridge").CombinedOutput(); err != nil {
			t.Fatalf("build with the tags %s: %v\n%s", tags, err, out)
		}
		builds.paths[tags] = path
	}
	return builds.paths[tags]
}

var builds struct {
	mu    sync.Mutex
	paths map[string]string
}

// shell runs a script of this repository to its end.
func shell(script string, args ...string) (string, error) {
	out, err := exec.Command(script, args...).CombinedOutput()
	return string(out), err
}

// durationFrom reads a time such as 60s from the environment.
func durationFrom(t testing.TB, variable string, otherwise time.Duration) time.Duration {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		return otherwise
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		t.Fatalf("%s=%q, want a time such as 60s", variable, value)
	}
	return d
}
