package simulate

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/schemas"
)

// patience is how long an ambush waits for its moment.
const patience = time.Minute

// rain carries the plan's steps out.
func (w *world) rain(ctx context.Context) {
	snapshots := w.plan.snapshot
	for _, s := range w.plan.steps {
		for w.elapsed() < s.at {
			next := min(s.at, snapshots)
			wait(ctx, next-w.elapsed())
			if w.elapsed() >= snapshots {
				w.redis.remember()
				snapshots += w.plan.snapshot
			}
		}
		w.trace.add("%s", s)
		w.apply(ctx, s)
	}
	wait(ctx, w.plan.span-w.elapsed())
}

func (w *world) elapsed() time.Duration { return time.Since(w.begin) }

// later does something after a while, at the latest when the faults are over.
func (w *world) later(ctx context.Context, d time.Duration, do func()) {
	w.wg.Go(func() {
		wait(ctx, d)
		do()
	})
}

func (w *world) apply(ctx context.Context, s step) {
	switch s.kind {
	case kafkaAway, redisAway, redisFlushed, redisBack:
		w.strikeRedisOrKafka(ctx, s)
	case memoryShort, scriptsForbidden, slotMigrates, multiForbidden:
		w.redis.refuses.begin(s.kind, s.last, s.n)
	case replayed:
		w.startReplay(ctx, s)
	case offsetsSet:
		w.setOffsets(ctx)
	case moveLeaders, moveCoordinators, produceUnsure, endUnsure, endRefused, offsetsRefused:
		w.strikeBroker(s)
	default:
		h := w.hosts[s.host()]
		if p := h.current(); p != nil && !w.strikeProcess(ctx, s, h, p) {
			strikeWires(s, p)
		}
	}
}

// strikeProcess reports whether the fault is one of a process.
func (w *world) strikeProcess(ctx context.Context, s step, h *host, p *process) bool {
	switch s.kind {
	case killed:
		h.restAfter(s.last)
		p.kill()
	case ambushed:
		w.ambush(ctx, h, p, s)
	case stopped:
		h.restAfter(s.last)
		p.cancel()
	case frozen:
		p.freeze(true)
		w.later(ctx, s.last, func() { p.freeze(false) })
	case frozenReplaced:
		// Its successor works under the same instance number before it wakes up. A zombie whose
		// transaction grew too old may take the number back and the successor gives way; in the end
		// the orchestrator kills what it replaced.
		p.freeze(true)
		h.restAfter(s.last / 4)
		p.end(nil)
		w.later(ctx, s.last, func() { p.freeze(false) })
		w.later(ctx, s.last+30*time.Second, p.kill)
	case clockJumps:
		p.jump(s)
	case passedOver:
		p.mu.Lock()
		p.skip = 3 * s.n
		p.mu.Unlock()
	case otherPepper:
		w.repepper(ctx, h, p, s)
	default:
		return false
	}
	return true
}

// ambush kills a process at a certain request.
func (w *world) ambush(ctx context.Context, h *host, p *process, s step) {
	w.trap(ctx, p, s, func() { h.restAfter(s.last) })
}

func (w *world) trap(ctx context.Context, p *process, s step, also func()) {
	wires := p.toKfk
	if s.key < 0 {
		wires = p.toRds
	}
	t := &trap{key: s.key, when: s.when, strike: func() {
		w.trace.add("  %s dies %s %s", p.name, s.when, requestName(s.key))
		w.mu.Lock()
		w.kills++
		w.mu.Unlock()
		also()
		p.kill()
	}}
	wires.setTrap(t)
	w.later(ctx, patience, func() { wires.disarm(t) })
}

// repepper restarts a process with another pepper, and puts the right one back when that is noticed. Nobody can
// notice before there is something that was made with the right one.
func (w *world) repepper(ctx context.Context, h *host, p *process, s step) {
	committed, err := w.reader.Committed(ctx, normalize.DefaultGroup, schemas.Raw)
	if err != nil || !w.passed.disposed(committed) {
		return
	}
	h.repepper(true)
	h.restAfter(time.Second)
	p.kill()
	w.later(ctx, s.last, func() {
		if p := h.current(); p.pepper != pepper {
			p.cancel()
		}
	})
}

func strikeWires(s step, p *process) {
	switch s.kind {
	case cutKafka:
		p.toKfk.drop()
	case cutRedis:
		p.toRds.drop()
	case silentKafka:
		p.toKfk.swallow(s.last)
	case silentRedis:
		p.toRds.swallow(s.last)
	case lostKafka:
		p.toKfk.loseAnswers(s.n)
	case lostRedis:
		p.toRds.loseAnswers(s.n)
	}
}

func (w *world) strikeRedisOrKafka(ctx context.Context, s step) {
	switch s.kind {
	case kafkaAway:
		w.setDown(true)
		for _, h := range w.hosts {
			if p := h.current(); p != nil {
				p.toKfk.drop()
			}
		}
		w.later(ctx, s.last, func() { w.setDown(false) })
	case redisAway:
		w.redis.leave()
		w.later(ctx, s.last, w.redis.back)
	case redisFlushed:
		w.redis.flush()
	case redisBack:
		w.trace.add("  to what it was %s ago", w.redis.jump(s.n-1).Round(time.Second))
	}
}

func (w *world) setDown(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
}

func (w *world) strikeBroker(s step) {
	fault := func(key kmsg.Key, topic string, err *kerr.Error) {
		w.faults = append(w.faults, w.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Topic: topic, Err: err, Count: s.n}))
	}
	unsure := kerr.RequestTimedOut
	if s.who%2 == 0 {
		unsure = kerr.NotEnoughReplicasAfterAppend
	}
	switch s.kind {
	case moveLeaders:
		w.kafka.ShufflePartitionLeaders()
	case moveCoordinators:
		w.kafka.RehashCoordinators()
	case produceUnsure:
		base := []string{schemas.Raw, schemas.Session, schemas.Check, schemas.DispositionTopic, schemas.Raw, schemas.DeadLetterTopic}
		fault(kmsg.Produce, schemas.DefaultPrefix+base[s.who%len(base)], unsure)
	case endUnsure:
		fault(kmsg.EndTxn, "", kerr.RequestTimedOut)
	case endRefused:
		errs := []*kerr.Error{kerr.UnknownServerError, kerr.ConcurrentTransactions, kerr.CoordinatorNotAvailable}
		fault(kmsg.EndTxn, "", errs[s.who%len(errs)])
	case offsetsRefused:
		errs := []*kerr.Error{kerr.UnknownServerError, kerr.CoordinatorLoadInProgress, kerr.RebalanceInProgress}
		fault(kmsg.TxnOffsetCommit, "", errs[s.who%len(errs)])
	}
}

// calm ends every fault.
func (w *world) calm() {
	w.trace.add("the faults are over")
	for _, f := range w.faults {
		f.Remove()
	}
	w.setDown(false)
	w.redis.back()
	w.redis.refuses.end()
	for _, h := range w.hosts[:replayer] {
		h.repepper(false)
		if p := h.current(); p != nil {
			p.heal()
			if p.pepper != pepper {
				p.cancel()
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range w.replays {
		p.heal()
	}
}

func (p *process) heal() {
	p.toKfk.heal()
	p.toRds.heal()
	p.freeze(false)
}

// bury takes members that were killed out of the group, until ctx ends.
func (w *world) bury(ctx context.Context) {
	for wait(ctx, 10*time.Second) {
		limited, cancel := context.WithTimeout(ctx, 5*time.Second)
		w.undertaker.Bury(limited, normalize.DefaultGroup)
		cancel()
	}
}
