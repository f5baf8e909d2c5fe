package dedupe

import (
	"slices"
	"testing"
)

// This file searches every interleaving of a small world over the production rules: up to three
// copies of one delivery, up to three workers, aborts, crashes, zombies that go on writing to Redis
// after they lost their partition, a Redis that may jump back to any value it ever held or lose all it
// holds and show it, replays that may die anywhere, and a pepper that changes.

// placed is where a copy lies.
type placed struct{ partition, offset int8 }

// value is what Redis holds: 0 nothing, else 1+4*copy, plus the place of its state in states.
type value uint8

var states = [...]State{Pending, Done, Replaying, Contested}

func valueOf(copy int8, s State) value {
	return value(1 + 4*int(copy) + slices.Index(states[:], s))
}

func (v value) claim(m *model) *Claim {
	if v == 0 {
		return nil
	}
	at := m.copies[(v-1)/4]
	return &Claim{State: states[(v-1)%4], Partition: int32(at.partition), Offset: int64(at.offset)}
}

func pendingOf(copy int8) value { return valueOf(copy, Pending) }
func doneOf(copy int8) value    { return valueOf(copy, Done) }

type phase uint8

const (
	idle      phase = iota
	polled          // holds a copy, nothing decided
	lowering        // saw a later owner, is about to compare and set
	waiting         // saw an owner in another partition
	emitting        // decided to emit
	dropping        // decided to drop
	marking         // committed, the mark is not written
	confirmed       // a replay: the claim was there when it was looked at last
)

type worker struct {
	phase    phase
	copy     int8
	expected value
	flagged  bool // what it emits is flagged as unconfirmed
}

// world is one state. It is comparable, so that it can be a key.
type world struct {
	redis     value
	past      uint16 // every value Redis ever held, as a set
	rollbacks int8
	next      [2]int8 // per partition, how many of its copies are committed
	owner     [2]int8 // per partition, the worker that may commit
	emitted   [3]int8
	plain     int8 // how many of them without a flag
	workers   [3]worker

	replay  worker // of the first copy, which was skipped
	replays int8   // begun
	shows   bool   // the watermark is not what the owner left: marks must be repaired before a claim
	flushes int8
	other   value // under the key of the other pepper
	peppers int8  // changes
}

type model struct {
	rule      func(own Claim, found *Claim) Step
	copies    []placed
	workers   int
	rollbacks int8

	replays int8 // of the first copy, which no worker gets to see
	kind    State
	peppers int8
	flushes int8
	// vouches: a repair leaves out the mark and moves the watermark all the same, as where a round is refused
	// in part, or where a clock that is ahead finds that no mark is alive.
	vouches bool
	// swallows: another pepper is not noticed.
	swallows bool
}

// outcome says what may happen. hidden: emitted twice, and no flag says so.
type outcome struct {
	states               int
	lost, double, hidden bool
}

func (m *model) search() outcome {
	start := world{past: 1}
	if m.replays > 0 {
		start.next[m.copies[0].partition] = 1
	}
	seen := map[world]bool{start: true}
	todo := []world{start}
	var o outcome
	for len(todo) > 0 {
		w := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		m.judge(w, &o)
		m.steps(w, func(n world) {
			n.past |= 1 << n.redis
			if !seen[n] {
				seen[n] = true
				todo = append(todo, n)
			}
		})
	}
	o.states = len(seen)
	return o
}

func (m *model) judge(w world, o *outcome) {
	total := int8(0)
	for _, n := range w.emitted {
		total += n
	}
	o.double = o.double || total > 1
	o.hidden = o.hidden || w.plain > 1
	if m.at(w, 0) < 0 && m.at(w, 1) < 0 && total == 0 {
		o.lost = true
	}
}

// at is the copy that stands next in a partition, -1 when all are committed.
func (m *model) at(w world, partition int8) int8 {
	n := int8(0)
	for i, c := range m.copies {
		if c.partition != partition {
			continue
		}
		if n == w.next[partition] {
			return int8(i)
		}
		n++
	}
	return -1
}

// steps yields every state one action away.
func (m *model) steps(w world, yield func(world)) {
	if w.rollbacks < m.rollbacks {
		for v := range value(13) {
			if w.past&(1<<v) != 0 && v != w.redis {
				n := w
				n.redis, n.rollbacks = v, w.rollbacks+1
				yield(n)
			}
		}
	}
	if w.flushes < m.flushes {
		n := w
		n.redis, n.other, n.shows, n.flushes = 0, 0, true, w.flushes+1
		yield(n)
	}
	if w.peppers < m.peppers {
		n := w
		n.redis, n.other, n.peppers = w.other, w.redis, w.peppers+1
		yield(n)
	}
	for i := range m.workers {
		m.act(w, i, yield)
	}
	m.actReplay(w, yield)
}

// refused reports whether nothing is claimed now: the pepper is another one, and that was noticed.
func (m *model) refused(w world) bool { return w.peppers%2 == 1 && !m.swallows }

// repair writes the mark that the log of dispositions stands for, as the next owner does.
func (m *model) repair(w world) world {
	for i, n := range w.emitted {
		if n > 0 && !m.vouches {
			w.redis = doneOf(int8(i))
		}
	}
	w.shows = false
	return w
}

// actReplay is what a replay of the first copy does: claim, look again, commit, mark. It may die at any
// point; one that is begun fences the one before, and then reads what that one committed.
func (m *model) actReplay(w world, yield func(world)) {
	become := func(n world, p phase) {
		n.replay.phase = p
		yield(n)
	}
	if w.replays < m.replays && w.emitted[0] == 0 {
		n := w
		n.replays++
		become(n, polled)
	}
	own := m.copies[0]
	claim := Claim{State: m.kind, Partition: int32(own.partition), Offset: int64(own.offset)}
	switch w.replay.phase {
	case idle:
		return
	case polled:
		if w.shows || m.refused(w) {
			break // its watermark is not complete
		}
		n := w
		found := w.redis.claim(m)
		if found == nil || found.State == Replaying { // of a replay that is fenced
			n.redis, found = valueOf(0, m.kind), nil
		}
		switch decideReplayed(claim, false, found, false) {
		case Emit, Retry:
			become(n, emitting)
		}
	case emitting:
		if w.redis == valueOf(0, m.kind) {
			become(w, confirmed)
		}
	case confirmed:
		n := w
		n.emitted[0]++
		n.plain++
		become(n, marking)
	case marking:
		n := w
		n.redis = doneOf(0)
		become(n, idle)
	}
	become(w, idle) // it dies, or leaves the record
}

func (m *model) act(w world, i int, yield func(world)) {
	me := w.workers[i]
	become := func(n world, next worker) {
		n.workers[i] = next
		yield(n)
	}
	switch me.phase {
	case idle:
		for p := range int8(2) {
			if c := m.at(w, p); c >= 0 {
				n := w
				n.owner[p] = int8(i)
				become(n, worker{phase: polled, copy: c})
			}
		}
		return
	case polled:
		switch {
		case m.refused(w):
		case w.shows:
			if w.owner[m.copies[me.copy].partition] == int8(i) {
				yield(m.repair(w))
			}
		default:
			n := w
			if w.redis == 0 {
				n.redis = pendingOf(me.copy)
			}
			become(n, m.decided(me.copy, w.redis))
		}
	case lowering:
		n := w
		if w.redis == me.expected {
			was, next := w.redis.claim(m), worker{phase: emitting, copy: me.copy, flagged: me.flagged}
			n.redis = pendingOf(me.copy)
			if contests(was) {
				n.redis, next.flagged = valueOf(me.copy, Contested), true
			}
			become(n, next)
		} else if w.redis == 0 {
			become(n, worker{phase: polled, copy: me.copy})
		} else {
			become(n, m.decided(me.copy, w.redis))
		}
	case waiting:
		if found := w.redis.claim(m); found != nil && found.State == Replaying {
			become(w, worker{phase: lowering, copy: me.copy, expected: w.redis, flagged: true})
		} else {
			become(w, worker{phase: emitting, copy: me.copy, flagged: true}) // patience is over
		}
		if w.redis == 0 {
			become(w, worker{phase: polled, copy: me.copy})
		} else if next := m.decided(me.copy, w.redis); next.phase != waiting {
			become(w, next)
		}
	case emitting, dropping:
		m.commit(w, me, i, become)
	case marking:
		n := w
		n.redis = doneOf(me.copy)
		become(n, worker{})
	}
	become(w, worker{}) // abort or crash: what was written to Redis stays
}

func (m *model) commit(w world, me worker, i int, become func(world, worker)) {
	p := m.copies[me.copy].partition
	if w.owner[p] != int8(i) || m.at(w, p) != me.copy {
		return // fenced by the group: it can only abort
	}
	n := w
	n.next[p]++
	if me.phase == dropping {
		become(n, worker{})
		return
	}
	n.emitted[me.copy]++
	if !me.flagged {
		n.plain++
	}
	become(n, worker{phase: marking, copy: me.copy})
}

// contests reports whether who takes a claim over shares the record with a replay.
func contests(found *Claim) bool {
	own := (&contender{}).over(*found)
	return own.State == Contested
}

func (m *model) decided(copy int8, found value) worker {
	at := m.copies[copy]
	own := Claim{State: Pending, Partition: int32(at.partition), Offset: int64(at.offset)}
	was := found.claim(m)
	switch m.rule(own, was) {
	case Emit, Retry:
		return worker{phase: emitting, copy: copy, flagged: was != nil && was.State == Contested}
	case TakeOver:
		return worker{phase: lowering, copy: copy, expected: found}
	case Wait:
		return worker{phase: waiting, copy: copy}
	default:
		return worker{phase: dropping, copy: copy}
	}
}

// booleanSetnx is the common rule: somebody has it, so drop.
func booleanSetnx(_ Claim, found *Claim) Step {
	if found == nil {
		return Emit
	}
	return Drop
}

// equalityOnly knows its own claim, but takes every other as a reason to drop.
func equalityOnly(own Claim, found *Claim) Step {
	switch {
	case found == nil:
		return Emit
	case found.owns(own) && found.State == Done:
		return Skip
	case found.owns(own):
		return Retry
	default:
		return Drop
	}
}

func TestModel(t *testing.T) {
	one := []placed{{0, 0}, {0, 1}, {0, 2}}
	two := []placed{{0, 0}, {0, 1}, {1, 0}}
	late := func(m model) model { m.kind = Replaying; return m }
	for _, c := range []struct {
		name string
		m    model
		want outcome
	}{
		{"one partition, faithful Redis", model{rule: Decide, copies: one, workers: 3}, outcome{}},
		{"one partition, two rollbacks", model{rule: Decide, copies: one, workers: 3, rollbacks: 2}, outcome{double: true, hidden: true}},
		{"one partition, one rollback, three workers", model{rule: Decide, copies: one, workers: 3, rollbacks: 1}, outcome{double: true, hidden: true}},
		{"two partitions, faithful Redis", model{rule: Decide, copies: two, workers: 3}, outcome{double: true}},
		{"two partitions, one rollback", model{rule: Decide, copies: two, workers: 3, rollbacks: 1}, outcome{double: true, hidden: true}},
		{"boolean SETNX, faithful Redis", model{rule: booleanSetnx, copies: one, workers: 2}, outcome{lost: true}},
		{"equality only, one partition, faithful Redis", model{rule: equalityOnly, copies: one, workers: 3}, outcome{}},
		{"equality only, two partitions, one rollback", model{rule: equalityOnly, copies: two, workers: 2, rollbacks: 1}, outcome{lost: true, double: true, hidden: true}},

		{"two replays, faithful Redis", late(model{rule: Decide, copies: one, workers: 3, replays: 2}), outcome{double: true}},
		{"two replays, two partitions", late(model{rule: Decide, copies: two, workers: 2, replays: 2}), outcome{double: true}},
		{"two replays, a rollback", late(model{rule: Decide, copies: one, workers: 2, replays: 2, rollbacks: 1}), outcome{double: true, hidden: true}},
		{"a replay that claims as live traffic", model{rule: Decide, copies: one, workers: 2, replays: 1, kind: Pending}, outcome{lost: true}},

		{"Redis lost everything twice, and shows it", model{rule: Decide, copies: one, workers: 3, flushes: 2}, outcome{}},
		// Between a replay's last look at its claim and its commit, nobody tells it that the claim is gone.
		{"the same beside a replay", late(model{rule: Decide, copies: one, workers: 2, flushes: 1, replays: 1}), outcome{double: true, hidden: true}},
		{"a watermark that vouches for what was refused", model{rule: Decide, copies: one, workers: 2, flushes: 1, vouches: true}, outcome{double: true, hidden: true}},

		{"the pepper changes and changes back", model{rule: Decide, copies: one, workers: 3, peppers: 2}, outcome{}},
		{"another pepper goes unnoticed", model{rule: Decide, copies: one, workers: 2, peppers: 1, swallows: true}, outcome{double: true, hidden: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := c.m.search()
			t.Logf("%d states", o.states)
			if o.states = 0; o != c.want {
				t.Errorf("%+v, expected %+v", o, c.want)
			}
		})
	}
}
