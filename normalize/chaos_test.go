package normalize_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/embedded/repair"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

const (
	chaosPartitions = 4
	chaosProcesses  = 3
)

// chaosFaults is how many faults rain. KYCBRIDGE_TEST_CHAOS=2000 makes a soak of it.
func chaosFaults(t *testing.T) int {
	t.Helper()
	if testing.Short() {
		t.Skip("a chaos run takes a while")
	}
	if text := os.Getenv("KYCBRIDGE_TEST_CHAOS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 25
}

// booleanSetnx is the common rule, "somebody has it, so drop". It loses events, and the harness must
// see that: a test that cannot fail proves nothing.
func booleanSetnx(_ dedupe.Claim, found *dedupe.Claim) dedupe.Step {
	if found == nil {
		return dedupe.Emit
	}
	return dedupe.Drop
}

func TestChaosLosesAndDoublesNothing(t *testing.T) {
	keys, count := chaos(t, nil, false)
	lost, doubled := tally(keys, count)
	t.Logf("%d keys, each sent three times: %d lost, %d doubled", keys, len(lost), len(doubled))
	if len(lost) > 0 || len(doubled) > 0 {
		t.Errorf("lost %s, doubled %s", brief(lost), brief(doubled))
	}
}

// Every flush is noticed and repaired before anything is decided, so even a Redis that forgets all
// doubles nothing.
func TestChaosWithFlushedRedis(t *testing.T) {
	keys, count := chaos(t, nil, true)
	lost, doubled := tally(keys, count)
	t.Logf("%d keys, each sent three times: %d lost, %d doubled", keys, len(lost), len(doubled))
	if len(lost) > 0 || len(doubled) > 0 {
		t.Errorf("lost %s, doubled %s", brief(lost), brief(doubled))
	}
}

func TestChaosSeesThatBooleanSetnxLoses(t *testing.T) {
	keys, count := chaos(t, booleanSetnx, false)
	lost, doubled := tally(keys, count)
	t.Logf("%d keys, each sent three times: %d lost, %d doubled", keys, len(lost), len(doubled))
	if len(lost) == 0 {
		t.Error("nothing was lost, so this harness could not see a loss")
	}
}

func tally(keys int, count map[string]int) (lost, doubled []string) {
	for n := range keys {
		switch name := fmt.Sprintf("e%d/x", n); {
		case count[name] == 0:
			lost = append(lost, name)
		case count[name] > 1:
			doubled = append(doubled, name)
		}
	}
	return lost, doubled
}

// chaos runs three processes under faults while every key is sent three times, lets them finish, and
// counts the events of each key.
func chaos(t *testing.T, rule func(dedupe.Claim, *dedupe.Claim) dedupe.Step, flush bool) (int, map[string]int) {
	faults := chaosFaults(t)
	w := newWorld(t, chaosPartitions, kfake.NumBrokers(3))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.Ctx), testLimit+time.Duration(faults)*time.Second)
	t.Cleanup(cancel)
	w.Ctx = ctx
	repair.Epochs(w.Cluster)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := &storm{world: w, rule: rule, flush: flush, rng: rand.New(rand.NewPCG(seed, 1)), slots: make([]*process, chaosProcesses)}
	for i := range c.slots {
		c.slots[i] = c.launch(i)
	}
	raining, stop := context.WithCancel(ctx)
	defer stop()
	var sending sync.WaitGroup
	keys := 0
	sending.Go(func() { keys = c.pour(raining, rand.New(rand.NewPCG(seed, 2))) })
	for range faults {
		c.strike(raining)
		c.progress(raining, c.rng.IntN(100))
	}
	stop()
	sending.Wait()
	c.calm()
	w.settle()
	for _, p := range c.slots {
		if err := p.stop(); err != nil {
			t.Errorf("a process ended with %v", err)
		}
	}
	w.audit()
	count := map[string]int{}
	for _, text := range w.events() {
		count[text]++
	}
	return keys, count
}

// backlog is how many raw records may wait before more are sent.
const backlog = 400

// pour sends keys until ctx ends, each three times at some distance, and returns how many. It keeps ahead
// of the normalisers, and no further than the backlog.
func (c *storm) pour(ctx context.Context, rng *rand.Rand) (keys int) {
	var open []int // keys with copies still to send, one entry per copy
	send := func(n int) {
		c.send(int32(n%chaosPartitions), said{Subject: fmt.Sprintf("s%d", n%200), ID: fmt.Sprintf("e%d", n), Text: "x"})
		c.sent.Add(1)
	}
	for ctx.Err() == nil {
		for range 20 {
			send(keys)
			open = append(open, keys, keys)
			keys++
		}
		for len(open) > 400 || (len(open) > 0 && rng.IntN(3) > 0) {
			at := rng.IntN(len(open))
			send(open[at])
			open = append(open[:at], open[at+1:]...)
		}
		c.when(ctx, func() bool { return c.sent.Load()-c.committed() < backlog })
	}
	for _, n := range open {
		send(n)
	}
	return keys
}

// committed is how many raw records the group has passed.
func (c *storm) committed() (n int64) {
	at, err := c.Reader.Committed(c.Ctx, normalize.DefaultGroup, schemas.Raw)
	if err != nil {
		return 0
	}
	for _, offset := range at {
		n += offset
	}
	return n
}

// when returns once a condition holds, or ctx ends.
func (c *storm) when(ctx context.Context, ok func() bool) {
	for ctx.Err() == nil && !ok() {
		time.Sleep(10 * time.Millisecond)
	}
}

// stuck is how often it is looked whether the normalisers get on, before the next fault comes anyway:
// it may take one to free them.
const stuck = 50

// progress returns when so many more raw records are passed.
func (c *storm) progress(ctx context.Context, records int) {
	from, looks := c.committed(), 0
	c.when(ctx, func() bool {
		looks++
		return looks > stuck || c.committed()-from >= int64(records)
	})
}

// storm makes faults.
type storm struct {
	*world
	rule  func(dedupe.Claim, *dedupe.Claim) dedupe.Step
	flush bool // Redis is emptied now and then
	sent  atomic.Int64
	rng   *rand.Rand
	slots []*process
	ice   sync.WaitGroup
}

// moody aborts some transactions of its own will.
type moody struct {
	*sink.Session
	mu  *sync.Mutex
	rng *rand.Rand
}

func (m moody) Commit(ctx context.Context, out []record.Outgoing) (bool, error) {
	m.mu.Lock()
	abort := m.rng.IntN(20) == 0
	m.mu.Unlock()
	if abort {
		return false, m.Rewind(ctx)
	}
	return m.Session.Commit(ctx, out)
}

func (c *storm) launch(instance int) *process {
	rng := rand.New(rand.NewPCG(c.rng.Uint64(), 3))
	return c.start(instance, func(o *normalize.Options) {
		o.Rule, o.Batch = c.rule, 50
		o.Sessions = normalizetest.Wrap(o.Sessions, func(slot *normalize.Slot) {
			slot.Session = moody{Session: slot.Session.(*sink.Session), mu: &sync.Mutex{}, rng: rng}
		})
	})
}

// strike makes one fault.
func (c *storm) strike(ctx context.Context) {
	switch i := c.rng.IntN(len(c.slots)); c.rng.IntN(9) {
	case 0:
		c.slots[i].kill()
		c.slots[i] = c.launch(i)
	case 1:
		_ = c.slots[i].stop()
		c.slots[i] = c.launch(i)
	case 2:
		c.chill(ctx, c.slots[i])
	case 3:
		c.Cluster.ShufflePartitionLeaders()
	case 4:
		c.Cluster.RehashCoordinators()
	case 5:
		c.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.UnknownServerError})
	case 6:
		c.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "kyc." + schemas.Session, Err: kerr.RequestTimedOut})
	case 7:
		c.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.RequestTimedOut})
	case 8:
		if c.flush {
			c.Redis.FlushAll()
		}
	}
}

// chill pauses a process until its group has gone on without it; it wakes up as a zombie.
func (c *storm) chill(ctx context.Context, p *process) {
	p.line.Freeze(true)
	c.ice.Go(func() {
		c.when(ctx, func() bool { return c.Undertaker.Expelled(c.Ctx, p.line, normalize.DefaultGroup) })
		p.line.Freeze(false)
	})
}

// calm ends the faults and gives every slot a living process.
func (c *storm) calm() {
	c.ice.Wait()
	for i, p := range c.slots {
		p.kill()
		c.slots[i] = c.launch(i)
	}
}
