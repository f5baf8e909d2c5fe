package hydrate

import (
	"time"

	"google.golang.org/protobuf/proto"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	// waitMost bounds the tasks of a slot that wait: when it is reached, reading pauses.
	waitMost = 1 << 15
	// keepTasks bounds the deliveries that are kept in memory for tasks that wait. The others are read again
	// when it is their turn.
	keepTasks = 32 << 20
	// alarmAgain is when a task is looked at again whose patience has ended and that may not be given up yet.
	alarmAgain = time.Second
)

// lot holds the tasks that wait for their time, or for their API. They stay where they are in the log, and
// nothing is written for them: the group's offset stays before the first.
type lot struct {
	most   int // tasks
	keep   int // bytes of deliveries
	tasks  map[*entry]bool
	bytes  int
	alarms places
	queues map[*gate]*places
}

// place is where a task waits. It is of no meaning once the task has left it.
type place struct {
	*entry
	stay int
	at   time.Time // of an alarm
}

func (p place) left() bool { return p.state != waits || p.stays != p.stay }

func newLot() *lot {
	return &lot{
		most: waitMost, keep: keepTasks, tasks: make(map[*entry]bool), queues: make(map[*gate]*places),
		alarms: places{heap[place]{before: func(a, b place) bool { return a.at.Before(b.at) }}},
	}
}

// places is a queue of tasks, some of which have left it.
type places struct{ heap[place] }

// empty forgets those in front that have left.
func (q *places) empty() bool {
	for !q.heap.empty() && q.first().left() {
		q.pop()
	}
	return q.heap.empty()
}

// tidy forgets all that have left.
func (q *places) tidy() {
	stay := &places{heap[place]{before: q.before}}
	for _, p := range q.items {
		if !p.left() {
			stay.push(p)
		}
	}
	*q = *stay
}

// room is how many more tasks may come.
func (l *lot) room() int { return max(l.most-len(l.tasks), 0) }

// add parks a task until a time, then until its gate lets it through; due is when its patience ends. A task
// without a gate waits for that alone.
func (l *lot) add(e *entry, g *gate, until, due, now time.Time) {
	l.tidy()
	e.state, e.gate, e.due = waits, g, due
	e.stays++
	l.tasks[e] = true
	l.pack(e)
	if now.Before(until) {
		e.queued = false
		l.alarms.push(place{e, e.stays, until})
		return
	}
	l.enqueue(e, now)
}

// tidy forgets places that were left, where they are most.
func (l *lot) tidy() {
	if most := 4 * (len(l.tasks) + 1024); len(l.alarms.items) > most {
		l.alarms.tidy()
		for _, q := range l.queues {
			q.tidy()
		}
	}
}

// pack makes what is kept of a task small: the delivery is left out where there is no room for it.
func (l *lot) pack(e *entry) {
	if e.packed {
		return
	}
	size := e.size()
	if l.bytes+size > l.keep {
		e.thin()
		return
	}
	l.bytes += size
}

// enqueue lets a task wait for its gate.
func (l *lot) enqueue(e *entry, now time.Time) {
	e.queued = true
	l.alarms.push(place{e, e.stays, later(e.due, now.Add(alarmAgain))})
	if e.gate == nil {
		return
	}
	q := l.queues[e.gate]
	if q == nil {
		q = &places{heap[place]{before: func(a, b place) bool { return a.turn < b.turn }}}
		l.queues[e.gate] = q
	}
	q.push(place{e, e.stays, time.Time{}})
}

// queued reports whether a task waits for the gate already.
func (l *lot) queued(g *gate) bool {
	q := l.queues[g]
	return q != nil && !q.empty()
}

// turning reports whether a task waits for its turn alone.
func (l *lot) turning(now time.Time) bool {
	for g := range l.queues {
		if l.queued(g) && !g.closed(now) {
			return true
		}
	}
	return false
}

// wake takes out the tasks that may go on: those that their gate would let through, in the order in which they
// were first read, and those that tired says are to be given up. No more go on than there is room for.
func (l *lot) wake(now time.Time, room *room, tired func(*entry) bool) (woken []*entry) {
	for room.left() && !l.alarms.empty() && !now.Before(l.alarms.first().at) {
		switch p := l.alarms.pop(); {
		case tired(p.entry):
			woken = append(woken, room.take(l.remove(p.entry)))
		case p.queued:
			l.alarms.push(place{p.entry, p.stay, now.Add(alarmAgain)})
		default:
			l.enqueue(p.entry, now)
		}
	}
	for g := range l.queues {
		for n := g.room(now); n > 0 && room.left() && l.queued(g); n-- {
			woken = append(woken, room.take(l.remove(l.queues[g].pop().entry)))
		}
	}
	return woken
}

// room is what there is for more tasks in hand.
type room struct{ tasks, bytes int }

func (r *room) left() bool { return r.tasks > 0 && r.bytes > 0 }

func (r *room) take(e *entry) *entry {
	r.tasks, r.bytes = r.tasks-1, r.bytes-e.whole
	return e
}

// next is when a task may go on of which the time has to come; zero: none waits for a time.
func (l *lot) next() time.Time {
	if l.alarms.empty() {
		return time.Time{}
	}
	return l.alarms.first().at
}

// remove takes a task out.
func (l *lot) remove(e *entry) *entry {
	if l.tasks[e] {
		delete(l.tasks, e)
		if !e.packed {
			l.bytes -= e.size()
		}
		e.stays++
		e.state, e.woken = asking, true
	}
	return e
}

// own makes a task independent of the batch that it was polled in, all of which would stay in memory with it.
func (e *entry) own() {
	e.in.Key, e.in.Value = append([]byte(nil), e.in.Key...), nil
	for i, h := range e.headers {
		e.headers[i].Value = append([]byte(nil), h.Value...)
	}
}

// size is what the delivery of a task takes in memory.
func (e *entry) size() int { return proto.Size(e.task.GetEnvelope()) }

// thin leaves out of a task what is in its record, and only needed when it goes on.
func (e *entry) thin() {
	whole := e.task.GetEnvelope()
	e.task.Envelope = &kycv1.RawEnvelope{Provider: whole.GetProvider(), Endpoint: whole.GetEndpoint(), ReceivedAt: whole.GetReceivedAt()}
	e.packed = true
}

// unpack puts back what thin left out.
func (e *entry) unpack(read *kycv1.HydrateTask) {
	e.task.Envelope, e.packed = read.GetEnvelope(), false
}
