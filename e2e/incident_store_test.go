package e2e

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// storeIncidents: Redis refuses a part, forgets a part, or may not be asked.
func storeIncidents() []fault {
	return []fault{
		{name: "redis-policy", does: "`maxmemory-policy` is changed to evict while running, and keys are evicted", real: true, run: redisPolicy},
		{name: "redis-away-hydrate", does: "Redis is away and only `hydrate` has anything to do with it", real: true, run: redisAwayHydrate},
		{name: "redis-edge", does: "Redis at the edge of `maxmemory`, while another client takes and frees memory", real: true, run: redisEdge},
		{name: "redis-scripts-refused", does: "an ACL refuses scripts and transactions, while ordinary writes work", real: true, run: redisScriptsRefused},
	}
}

// roundsRefused counts the rounds that Redis did not do.
const roundsRefused = `kycbridge_normalize_redis_duration_seconds_count{outcome="failed"}`

// redisEdge: of a round's commands some are refused and some are not, while marks are written for claims and
// in repairs. Whatever was not confirmed must be written again before a copy is decided on.
func redisEdge(s *scene) {
	_, first, second := s.calm()
	s.grow(600)
	p := s.runbook("Redis is down, frozen, out of memory, loading, or a replica")
	release := s.squeeze()
	p.sees("/readyz", unready(first, second), "redis is unavailable")
	for range 12 {
		before := total(roundsRefused, first, second)
		s.redis.must("EVAL", "for _, k in ipairs(redis.call('KEYS', 'kyc:d:*')) do redis.call('DEL', k) end", "0")
		s.await("a round is refused", func() bool { return total(roundsRefused, first, second) > before })
	}
	release()
	p.follow(0)
	s.strike()
	s.recover()
	s.resend(1000)
	s.verdict()
}

// squeeze lets another client fill Redis to its limit and give a little memory back, over and over, until release.
func (s *scene) squeeze() (release func()) {
	s.Helper()
	s.redis.must("CONFIG", "SET", "maxmemory", strconv.Itoa(s.redis.used()+200<<10))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		filler, oldest := strings.Repeat("x", 2<<10), 0
		for n := 0; ctx.Err() == nil; {
			if _, err := s.redis.do("SET", fmt.Sprintf("other:%d", n), filler); err == nil {
				n++
				continue
			}
			for ; oldest < n && ctx.Err() == nil; oldest++ { // room for some of a round's commands
				_, _ = s.redis.do("DEL", fmt.Sprintf("other:%d", oldest))
				if oldest%16 == 15 {
					oldest++
					break
				}
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// used is how many bytes the server counts against maxmemory.
func (r *redisServer) used() int { return r.info("memory", "used_memory") }

// info is one number of INFO.
func (r *redisServer) info(section, name string) int {
	r.t.Helper()
	for line := range strings.Lines(r.must("INFO", section)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(rest))
			if err != nil {
				r.t.Fatal(err)
			}
			return n
		}
	}
	r.t.Fatalf("INFO %s has no %s", section, name)
	return 0
}

// redisScriptsRefused: the trial write works, and what decides does not. A process must say so all the time,
// not between two tries.
func redisScriptsRefused(s *scene) {
	_, first, second := s.calm()
	p := s.runbook("Redis refuses a command (`NOPERM`)")
	s.redis.must("ACL", "SETUSER", "default", "-@scripting", "-@transaction")
	p.sees("/readyz", unready(first), "redis is unavailable", "NOPERM")
	ready := 0
	for range 40 {
		if unready(first)() == "" {
			ready++
		}
		pause(context.Background(), 50*time.Millisecond)
	}
	if ready > 0 {
		s.Errorf("ready in %d of 40 samples, while Redis refuses what decides", ready)
	}
	before := total(roundsRefused, first)
	pause(context.Background(), 2*time.Second)
	if more := total(roundsRefused, first) - before; more > 100 {
		s.Errorf("%g rounds in two seconds at a Redis that refuses them: no pause between them", more)
	}
	p.follow(0)
	s.strike()
	s.recover()
	for _, m := range []*member{first, second} {
		m.ready(s)
	}
	s.resend(200)
	s.verdict()
}

// redisAwayHydrate: a stage without a task still says that it could not work on one.
func redisAwayHydrate(s *scene) {
	s.calm()
	m := s.start(nil, "hydrate", "--instance", "0")
	p := s.runbook("Redis is down, frozen, out of memory, loading, or a replica")
	s.redis.kill()
	p.sees("/readyz of hydrate", unready(m), "redis is unavailable")
	s.grow(40)
	s.redis.start()
	s.strike()
	s.recover()
	m.ready(s)
	s.verdict()
}

// redisPolicy: a key that is evicted was answered OK. Once it is noticed, nothing is decided until the marks
// are whole again and the policy is right.
func redisPolicy(s *scene) {
	_, first, second := s.calm()
	s.grow(300)
	p := s.runbook("\"maxmemory-policy is ...\"")
	s.redis.must("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	p.sees("/readyz", unready(first, second), "maxmemory-policy is allkeys-lru")
	s.redis.must("CONFIG", "SET", "maxmemory", strconv.Itoa(s.redis.used()*9/10))
	for n := 0; s.redis.info("stats", "evicted_keys") < 200; n++ {
		s.redis.must("SET", fmt.Sprintf("other:%d", n), strings.Repeat("x", 1<<10))
	}
	s.resend(200)
	p.follow(0)
	s.strike()
	s.recover()
	s.resend(400)
	s.verdict()
}
