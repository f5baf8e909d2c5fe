package dedupe

import "testing"

// This file searches every interleaving of a small world over the production rule: up to three
// copies of one delivery, up to three workers, aborts, crashes, zombies that go on writing to Redis
// after they lost their partition, and a Redis that may jump back to any value it ever held.

// placed is where a copy lies.
type placed struct{ partition, offset int8 }

// value is what Redis holds: 0 nothing, else 1+2*copy, plus 1 where it is done.
type value uint8

func (v value) claim(m *model) *Claim {
	if v == 0 {
		return nil
	}
	at := m.copies[(v-1)/2]
	c := Claim{State: Pending, Partition: int32(at.partition), Offset: int64(at.offset)}
	if (v-1)%2 == 1 {
		c.State = Done
	}
	return &c
}

func pendingOf(copy int8) value { return value(1 + 2*copy) }
func doneOf(copy int8) value    { return value(2 + 2*copy) }

type phase uint8

const (
	idle     phase = iota
	polled         // holds a copy, nothing decided
	lowering       // saw a later owner, is about to compare and set
	waiting        // saw an owner in another partition
	emitting       // decided to emit
	dropping       // decided to drop
	marking        // committed, the mark is not written
)

type worker struct {
	phase    phase
	copy     int8
	expected value
}

// world is one state. It is comparable, so that it can be a key.
type world struct {
	redis     value
	past      uint16 // every value Redis ever held, as a set
	rollbacks int8
	next      [2]int8 // per partition, how many of its copies are committed
	owner     [2]int8 // per partition, the worker that may commit
	emitted   [3]int8
	workers   [3]worker
}

type model struct {
	rule      func(own Claim, found *Claim) Step
	copies    []placed
	workers   int
	rollbacks int8
}

type outcome struct {
	states       int
	lost, double bool
}

func (m *model) search() outcome {
	start := world{past: 1}
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
		for v := range value(7) {
			if w.past&(1<<v) != 0 && v != w.redis {
				n := w
				n.redis, n.rollbacks = v, w.rollbacks+1
				yield(n)
			}
		}
	}
	for i := range m.workers {
		m.act(w, i, yield)
	}
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
		n := w
		if w.redis == 0 {
			n.redis = pendingOf(me.copy)
		}
		become(n, m.decided(me.copy, w.redis))
	case lowering:
		n := w
		if w.redis == me.expected {
			n.redis = pendingOf(me.copy)
			become(n, worker{phase: emitting, copy: me.copy})
		} else if w.redis == 0 {
			become(n, worker{phase: polled, copy: me.copy})
		} else {
			become(n, m.decided(me.copy, w.redis))
		}
	case waiting:
		become(w, worker{phase: emitting, copy: me.copy}) // patience is over
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
	become(n, worker{phase: marking, copy: me.copy})
}

func (m *model) decided(copy int8, found value) worker {
	at := m.copies[copy]
	own := Claim{State: Pending, Partition: int32(at.partition), Offset: int64(at.offset)}
	switch m.rule(own, found.claim(m)) {
	case Emit, Retry:
		return worker{phase: emitting, copy: copy}
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
	for _, c := range []struct {
		name         string
		m            model
		lost, double bool
	}{
		{"one partition, faithful Redis", model{Decide, one, 3, 0}, false, false},
		{"one partition, two rollbacks", model{Decide, one, 3, 2}, false, true},
		{"one partition, one rollback, three workers", model{Decide, one, 3, 1}, false, true},
		{"two partitions, faithful Redis", model{Decide, two, 3, 0}, false, true},
		{"two partitions, one rollback", model{Decide, two, 3, 1}, false, true},
		{"boolean SETNX, faithful Redis", model{booleanSetnx, one, 2, 0}, true, false},
		{"equality only, one partition, faithful Redis", model{equalityOnly, one, 3, 0}, false, false},
		{"equality only, two partitions, one rollback", model{equalityOnly, two, 2, 1}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := c.m.search()
			t.Logf("%d states", o.states)
			if o.lost != c.lost || o.double != c.double {
				t.Errorf("lost %t, doubled %t, expected %t and %t", o.lost, o.double, c.lost, c.double)
			}
		})
	}
}
