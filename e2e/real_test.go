package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/schemas"
)

// realServices returns where the real Kafka and Redis are, or skips.
func realServices(t testing.TB) (kafka, redis string) {
	t.Helper()
	kafka, redis = os.Getenv("KYCBRIDGE_TEST_KAFKA"), os.Getenv("KYCBRIDGE_TEST_REDIS")
	if kafka != "" && redis != "" {
		return kafka, redis
	}
	const why = "needs a real Kafka and Redis: run `make services`, then set KYCBRIDGE_TEST_KAFKA=127.0.0.1:19092 and KYCBRIDGE_TEST_REDIS=127.0.0.1:16379"
	if os.Getenv("KYCBRIDGE_TEST_REQUIRE") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
	return "", ""
}

// stage is one process of a deployment on the real pair.
type stage struct {
	*process
	listen string
}

// deployment is a topic prefix of its own on the real pair, so that runs do not
// see each other.
type deployment struct {
	kafka, redis, prefix, config string
}

func deploy(t testing.TB) *deployment {
	t.Helper()
	kafka, redis := realServices(t)
	d := &deployment{kafka: kafka, redis: redis, prefix: fmt.Sprintf("e2e-%d.", time.Now().UnixNano())}
	d.config = filepath.Join(t.TempDir(), "kycbridge.yaml")
	yaml := fmt.Sprintf(`kafka:
  brokers: ["%s"]
  topic_prefix: "%s"
redis:
  address: "%s"
topics:
  create_missing: true
  partitions: 6
ingest:
  listen: "${KYCBRIDGE_LISTEN}"
  drain_delay: 0.1s
normalize:
  slots: 2
admin:
  listen: "${KYCBRIDGE_ADMIN}"
endpoints:
  - name: complycube
    provider: complycube
    environment: ENVIRONMENT_SANDBOX
    secrets:
      - id: primary
        value: "${KYCBRIDGE_SECRET_COMPLYCUBE}"
`, kafka, d.prefix, redis)
	if err := os.WriteFile(d.config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	createTopics(t, d.config, d.env("127.0.0.1:0"))
	return d
}

// createTopics makes an environment in a cluster that has others: there a new one is made by hand, not by a process
// that starts.
func createTopics(t testing.TB, config string, env []string) {
	t.Helper()
	if _, told, code := command(t, env, "topics", "create", "--config", config); code != 0 {
		t.Fatalf("topics create: code %d\n%s", code, told)
	}
}

func (d *deployment) run(t testing.TB, args ...string) *stage {
	t.Helper()
	return d.runAt(t, freePort(t), freePort(t), args...)
}

func (d *deployment) runAt(t testing.TB, listen, admin string, args ...string) *stage {
	t.Helper()
	s := &stage{listen: listen}
	env := []string{"KYCBRIDGE_LISTEN=" + s.listen, "KYCBRIDGE_ADMIN=" + admin, "KYCBRIDGE_SECRET_COMPLYCUBE=" + secret}
	s.process = start(t, admin, env, append(args, "--config", d.config)...)
	s.ready(t)
	return s
}

// TestRealPair is the end-to-end test on Apache Kafka and Redis: one ingest,
// two normalizers, one of which is killed in the middle and comes back.
func TestRealPair(t *testing.T) {
	d := deploy(t)
	in := d.run(t, "ingest")
	first := d.run(t, "normalize", "--instance", "0")
	second := d.run(t, "normalize", "--instance", "1")

	l := newLoad("real")
	during := read(t, d.kafka, d.prefix)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	sent := make(chan struct{})
	hook := func() string { return "http://" + in.listen + "/hooks/complycube" }
	go func() {
		defer close(sent)
		l.drive(ctx, hook, 8)
	}()
	grow := func(by int) {
		t.Helper()
		before := l.accepted()
		if !eventually(patience, func() bool { return l.accepted() >= before+by }) {
			t.Fatalf("only %d of %d deliveries accepted in %s", l.accepted()-before, by, patience)
		}
	}
	grow(500)
	first.kill()
	grow(1500)
	first = d.run(t, "normalize", "--instance", "0")
	grow(500)
	cancel()
	<-sent

	during.quiet(t)
	l.onlyExpected(t)
	judge(t, l, during.snapshot())
	after := read(t, d.kafka, d.prefix)
	after.quiet(t)
	f := judge(t, l, after.snapshot())
	t.Logf("%d accepted deliveries, %d raw records, %d events, %d dead letters", l.accepted(), len(f.raw), len(f.events), len(f.dead))
	first.stop(t)
	second.stop(t)
	in.stop(t)
}

// TestRealSurvivesKills: the whole program on Apache Kafka and Redis, killed
// under load again and again, as TestEmbeddedSurvivesKills does with `dev`.
func TestRealSurvivesKills(t *testing.T) {
	d := deploy(t)
	listen, admin := freePort(t), freePort(t)
	begin := func() *stage { return d.runAt(t, listen, admin, "all", "--instance", "0") }
	p := begin()
	l := newLoad("realkill")
	during := read(t, d.kafka, d.prefix)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		l.drive(ctx, func() string { return "http://" + listen + "/hooks/complycube" }, 8)
	}()
	random := rand.New(rand.NewPCG(11, 11))
	for n := range realKills(t) {
		before, enough := l.accepted(), 1+random.IntN(600)
		if !eventually(patience, func() bool { return l.accepted() >= before+enough }) {
			t.Fatalf("life %d: only %d deliveries accepted in %s", n, l.accepted()-before, patience)
		}
		p.kill()
		p = begin()
	}
	cancel()
	<-sent
	during.quiet(t)
	l.onlyExpected(t)
	judge(t, l, during.snapshot())
	after := read(t, d.kafka, d.prefix)
	after.quiet(t)
	f := judge(t, l, after.snapshot())
	t.Logf("%d accepted deliveries, %d raw records, %d events, %d dead letters", l.accepted(), len(f.raw), len(f.events), len(f.dead))
	p.stop(t)
}

// TestRealLocalConfig: the shipped deploy/local.yaml, unchanged, as the README says.
func TestRealLocalConfig(t *testing.T) {
	kafka, redis := realServices(t)
	listen, admin := freePort(t), freePort(t)
	env := append(secrets(), "KYCBRIDGE_KAFKA="+kafka, "KYCBRIDGE_REDIS="+redis, "KYCBRIDGE_LISTEN="+listen, "KYCBRIDGE_ADMIN="+admin)
	createTopics(t, "../deploy/local.yaml", env)
	p := start(t, admin, env, "all", "--config", "../deploy/local.yaml")
	p.ready(t)
	l := newLoad(fmt.Sprintf("local-%d", time.Now().UnixNano()))
	d := l.make(0)
	for range 3 {
		if status := l.send(newClient(), "http://"+listen+"/hooks/complycube", d); status != http.StatusOK {
			t.Fatalf("status %d, want 200", status)
		}
	}
	r := read(t, kafka, schemas.DefaultPrefix)
	r.quiet(t)
	judge(t, l, r.snapshot())
	p.stop(t)
}

// TestRealFence: two normalizers with one instance number fence each other, and
// the one that loses says so and ends with an error.
func TestRealFence(t *testing.T) {
	d := deploy(t)
	in := d.run(t, "ingest")
	older := d.run(t, "normalize", "--instance", "0")
	newer := d.run(t, "normalize", "--instance", "0")
	l := newLoad("fence")
	ctx, cancel := context.WithCancel(context.Background())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		l.drive(ctx, func() string { return "http://" + in.listen + "/hooks/complycube" }, 4)
	}()
	select {
	case <-older.done:
	case <-newer.done:
	case <-time.After(patience):
		t.Fatal("neither of two normalizers with one instance number ended")
	}
	cancel()
	<-sent
	ended, other := older, newer
	select {
	case <-newer.done:
		ended, other = newer, older
	default:
	}
	if ended.err == nil {
		t.Errorf("the fenced process ended with exit code 0, want an error")
	}
	if text := ended.log.String(); !strings.Contains(text, "--instance") {
		t.Errorf("the fenced process does not name --instance:\n%s", tail(text, 1500))
	}
	after := read(t, d.kafka, d.prefix)
	after.quiet(t)
	judge(t, l, after.snapshot())
	other.stop(t)
	in.stop(t)
}
