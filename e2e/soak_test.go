package e2e

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestSoak lets faults rain for as long as KYCBRIDGE_TEST_SOAK says (make soak: 30 min)
// and then holds everything against the ledger. KYCBRIDGE_TEST_SEED repeats the
// choice of faults.
func TestSoak(t *testing.T) {
	if os.Getenv("KYCBRIDGE_TEST_SOAK") == "" {
		t.Skip("a soak takes half an hour: run `make soak`, or set KYCBRIDGE_TEST_SOAK to a time such as 5m")
	}
	f := fault{name: "soak", does: "a random mix of faults", brokers: 3}
	s := newScene(t, f, false)
	defer s.leave()
	s.pace = 100 * time.Millisecond // what is read is kept for the oracle
	span := durationFrom(t, "KYCBRIDGE_TEST_SOAK", 0)
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("KYCBRIDGE_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("KYCBRIDGE_TEST_SEED=%s: %v", text, err)
		}
	}
	t.Logf("seed %d", seed)
	w := &weather{scene: s, rng: rand.New(rand.NewPCG(seed, 1))}
	w.ins = []*member{s.ingest(), s.ingest()}
	w.workers = []*member{s.normalizer(0, ""), s.normalizer(1, "")}
	s.send()
	s.grow(50)
	w.rain(span)
	s.settle()
}

// weather makes one fault after the other, and waits for recovery after each.
type weather struct {
	*scene
	rng          *rand.Rand
	ins, workers []*member
}

func (w *weather) rain(span time.Duration) {
	faults := []struct {
		name string
		do   func()
	}{
		{"kill ingest", func() { w.replace(w.ins, (*member).kill) }},
		{"restart ingest", func() { w.replace(w.ins, func(m *member) { m.process.stop(w) }) }},
		{"kill normaliser", func() { w.replace(w.workers, (*member).kill) }},
		{"restart normaliser", func() { w.replace(w.workers, func(m *member) { m.process.stop(w) }) }},
		{"stall normaliser", w.stall},
		{"move leaders", func() { w.fake.ShufflePartitionLeaders(); w.fake.RehashCoordinators() }},
		{"cut connections", w.fake.cut},
		{"uncertain commits", func() { w.refuse(kmsg.EndTxn, kerr.UnknownServerError, kerr.RequestTimedOut, kerr.NotCoordinator) }},
		{"uncertain produces", func() { w.refuse(kmsg.Produce, kerr.RequestTimedOut, kerr.NotEnoughReplicas) }},
		{"outage", func() { w.fake.down(); w.wait(3 * time.Second); w.fake.up(w) }},
		{"freeze redis", func() { w.redis.freeze(); w.wait(4 * time.Second); w.redis.thaw() }},
		{"flush redis", func() { w.redis.must("FLUSHALL") }},
		{"kill redis", func() { w.redis.kill(); w.wait(time.Second); w.redis.start() }},
	}
	end := time.Now().Add(span)
	count := map[string]int{}
	var first, last [2]float64
	for round := 0; time.Now().Before(end) && !w.Failed(); round++ {
		f := faults[w.rng.IntN(len(faults))]
		count[f.name]++
		f.do()
		w.strike()
		w.recover()
		w.grow(20)
		last = [2]float64{metric(w.ins[0].admin, "go_goroutines"), float64(rss(w.scene, w.ins[0]))}
		if round == 0 {
			first = last
		}
	}
	w.Logf("faults: %v", count)
	w.Logf("ingest: goroutines %g, then %g; memory %.0f MiB, then %.0f MiB", first[0], last[0], first[1]/(1<<20), last[1]/(1<<20))
	if last[0] > first[0]+200 || last[1] > first[1]+128<<20 {
		w.Errorf("ingest grew from %v to %v (goroutines, bytes)", first, last)
	}
}

func (w *weather) wait(d time.Duration) { pause(context.Background(), d) }

// replace ends one of the processes and starts it again.
func (w *weather) replace(all []*member, end func(*member)) {
	i := w.rng.IntN(len(all))
	end(all[i])
	all[i] = all[i].again()
}

// stall stops a normaliser for longer than its session lasts.
func (w *weather) stall() {
	m := w.workers[w.rng.IntN(len(w.workers))]
	w.signal(m, syscall.SIGSTOP)
	w.wait(time.Duration(1+w.rng.IntN(7)) * time.Second)
	w.signal(m, syscall.SIGCONT)
}

func (w *weather) refuse(key kmsg.Key, errs ...*kerr.Error) {
	w.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: errs[w.rng.IntN(len(errs))], Count: 1 + w.rng.IntN(4)})
}
