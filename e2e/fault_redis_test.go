package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// redisFaults: Redis forgets, dies, stands still, is full, lies, or is not there.
func redisFaults() []fault {
	return []fault{
		{name: "redis-flush", does: "FLUSHALL under load, four times", short: true, run: redisFlush},
		{name: "redis-kill-aof", does: "`kill -9` of a Redis that keeps its data", run: redisKill},
		{name: "redis-kill-empty", does: "`kill -9` of a Redis that comes back empty", short: true, redis: []string{"--appendonly", "no"}, run: redisKill},
		{name: "redis-failover", does: "a primary dies whose replica lagged behind; the replica takes its place", run: redisFailover},
		{name: "redis-frozen", does: "Redis is frozen (SIGSTOP) for longer than a transaction may last", short: true, run: redisFrozen},
		{name: "redis-full", does: "Redis is out of memory and evicts nothing", run: redisFull},
		{name: "redis-evicts", does: "a normaliser starts against `allkeys-lru`", redis: []string{"--maxmemory-policy", "allkeys-lru", "--maxmemory", "64mb"}, run: redisRefused("allkeys-lru")},
		{name: "redis-lost-reply", does: "Redis applies claims and the answers are lost", short: true, redisAddr: throughProxy, run: redisLostReply},
		{name: "redis-away-at-boot", does: "a normaliser starts while Redis is down", redisAddr: nobody, run: redisRefused("redis does not answer")},
		{name: "redis-wrong-password", does: "a normaliser starts with a wrong password", redis: []string{"--requirepass", "right-password"}, run: redisRefused("NOAUTH", "WRONGPASS", "does not answer")},
		{name: "redis-read-only", does: "Redis turns into a replica that takes no writes, and back", run: redisReadOnly},
		{name: "redis-fail-open", does: "`fail_open_after` is set and Redis is down while copies arrive", config: "dedupe:\n  fail_open_after: 1s\n", run: redisFailOpen},
		{name: "setnx", does: "a build that decides by boolean SETNX, killed after its claims: the suite must see the loss", short: true, tags: "setnx", run: setnx},
	}
}

// ordinary starts one ingest, two normalisers and the sender.
func (s *scene) ordinary() (in, first, second *member) {
	s.Helper()
	in, first, second = s.ingest(), s.normalizer(0, ""), s.normalizer(1, "")
	s.send()
	s.grow(80)
	return in, first, second
}

func redisFlush(s *scene) {
	s.ordinary()
	for range 4 {
		s.strike()
		s.redis.must("FLUSHALL")
		s.recover()
		s.grow(60)
	}
	s.settle()
}

func redisKill(s *scene) {
	s.ordinary()
	for range 3 {
		s.redis.kill()
		s.grow(60)
		s.redis.start()
		s.strike()
		s.recover()
		s.grow(60)
	}
	s.settle()
}

// redisFailover forces the lag that loopback replication never has by itself: the
// replica stands still while the primary goes on taking claims and marks, and then
// takes its place. Of what the replica missed, nothing may be lost or doubled.
func redisFailover(s *scene) {
	s.ordinary()
	host, port, _ := strings.Cut(s.redis.addr, ":")
	replica := startRedis(s, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	s.await("the replica is in step", func() bool {
		info, err := replica.do("INFO", "replication")
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	s.grow(60)
	replica.freeze()
	s.grow(100)
	s.redis.kill()
	replica.thaw()
	replica.must("REPLICAOF", "NO", "ONE")
	// It moves to the address that the processes know.
	replica.must("CONFIG", "SET", "port", port)
	s.strike()
	s.recover()
	s.grow(100)
	s.settle()
}

func redisFrozen(s *scene) {
	s.ordinary()
	s.redis.freeze()
	before, since := s.load.accepted(), time.Now()
	s.grow(200) // ingest does not need Redis
	s.Logf("%d deliveries accepted in %s without Redis", s.load.accepted()-before, time.Since(since).Round(time.Millisecond))
	pause(context.Background(), 6*time.Second)
	s.redis.thaw()
	s.strike()
	s.recover()
	s.grow(60)
	s.settle()
}

func redisFull(s *scene) {
	_, first, _ := s.ordinary()
	s.redis.must("CONFIG", "SET", "maxmemory", "1")
	s.await("the normaliser says so", func() bool {
		status, body := get("http://" + first.admin + "/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "redis")
	})
	s.grow(60)
	s.redis.must("CONFIG", "SET", "maxmemory", "0")
	s.strike()
	s.recover()
	s.grow(60)
	s.settle()
}

// redisRefused: a normaliser that cannot do its work must end with a line that says
// why, and drop nothing; with a sound Redis in its place it goes on.
func redisRefused(oneOf ...string) func(s *scene) {
	return func(s *scene) {
		s.ingest()
		s.send()
		s.grow(40)
		m := s.launch(nil, freePort(s), freePort(s), "normalize", "--instance", "0")
		last, code := m.ends()
		named := false
		for _, words := range oneOf {
			named = named || strings.Contains(last, words)
		}
		if code == 0 || !named {
			s.Errorf("it ended with code %d and %q, want an error with one of %q", code, last, oneOf)
		}
		s.redis.kill()
		s.redis = startRedis(s)
		s.f.redisAddr = nil
		s.write()
		s.strike()
		m.again()
		s.recover()
		s.settle()
	}
}

func nobody(s *scene) string { return freePort(s) }

func throughProxy(s *scene) string {
	if s.proxy == nil {
		s.proxy = startProxy(s, s.redis.addr)
	}
	return s.proxy.addr
}

func redisLostReply(s *scene) {
	s.ordinary()
	for range 5 {
		s.strike()
		before := s.proxy.lost.Load()
		s.proxy.lose(3)
		s.await("three answers are lost", func() bool { return s.proxy.lost.Load() >= before+3 })
		s.recover()
	}
	s.settle()
}

func redisReadOnly(s *scene) {
	_, first, _ := s.ordinary()
	// A replica of nobody refuses writes, as the old primary does after a failover.
	s.redis.must("CONFIG", "SET", "replica-serve-stale-data", "yes")
	host, port, _ := strings.Cut(freePort(s), ":")
	s.redis.must("REPLICAOF", host, port)
	s.await("the normaliser says so", func() bool {
		status, body := get("http://" + first.admin + "/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "redis")
	})
	s.grow(60)
	s.redis.must("REPLICAOF", "NO", "ONE")
	s.strike()
	s.recover()
	s.grow(60)
	s.settle()
}

// redisFailOpen: what goes out without Redis is flagged, so that a consumer can
// tell; once Redis is back the marks are filled in and later copies are dropped.
func redisFailOpen(s *scene) {
	s.ordinary()
	var early []delivery // told before, during and after the absence
	client := newClient()
	for range 5 {
		early = append(early, s.load.take())
	}
	again := func() {
		s.Helper()
		for _, d := range early {
			s.load.send(client, s.hooks.any(), d)
		}
	}
	again()
	s.strike()
	s.recover()
	s.redis.kill()
	s.grow(100)
	again()
	s.strike()
	s.recover() // without Redis
	s.slowest = 0
	s.redis.start()
	s.strike()
	s.await("flags end", func() bool { return !s.flagged() })
	s.recover()
	again()
	s.grow(60)
	s.stop()
	s.during.quiet(s)
	f := s.weigh(s.during, []string{"unverified"})
	if s.note = fmt.Sprintf("%d events flagged as unverified", f.verdict.Flagged["unverified"]); f.verdict.Flagged["unverified"] == 0 {
		s.Error("no event is flagged: nothing went out without Redis")
	}
	s.load.onlyExpected(s)
	s.enter(f)
}

// flagged reports whether the newest event of the domain topics is flagged.
func (s *scene) flagged() bool {
	probe := s.load.take()
	for probe.forged || strings.Contains(string(probe.body), "zzz.unknown") {
		probe = s.load.take()
	}
	if s.load.send(newClient(), s.hooks.any(), probe) != http.StatusOK {
		return true
	}
	var found *kgo.Record
	s.await("the probe comes out", func() bool {
		for _, e := range sorted(s, s.during.snapshot()).events {
			if e.metadata.GetVendorEventId() == probe.key {
				found = e.record
			}
		}
		return found != nil
	})
	return header(found, "dedupe") != ""
}

// setnx proves that the suite can see a loss: the usual rule finds its own claim
// after a crash and drops the event that nobody emitted.
func setnx(s *scene) {
	s.ingest()
	s.send()
	s.grow(100) // so that the first batch claims many
	listen, admin := freePort(s), freePort(s)
	m := s.launch([]string{"KYCBRIDGE_FAILPOINT=claimed"}, listen, admin, "normalize", "--instance", "0")
	m.dies()
	s.grow(50)
	s.strike()
	s.launch(nil, listen, admin, "normalize", "--instance", "0").ready(s)
	s.recover()
	s.stop()
	s.during.quiet(s)
	w := &failures{TB: s}
	f := judge(w, s.load, s.during.snapshot())
	lost, _ := tallied(s.load, f)
	s.note = "it must not be 0"
	if lost == 0 || len(w.text) == 0 {
		s.Errorf("%d lost and complaints %q: the suite cannot see a loss", lost, w.text)
	}
	s.enter(f)
}
