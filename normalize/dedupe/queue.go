package dedupe

import (
	"context"
	"sync"
)

// Queue orders what the repairs of a process write, since Redis is what they wait for most: one writes at a time, and
// whoever began first goes first. So they end one after the other and not all at the end, and one that cannot read
// its dispositions now keeps no other from writing. It is safe for use by several goroutines; nil orders nothing.
type Queue struct {
	mu      sync.Mutex
	begun   int
	writing bool
	waiting map[int]chan struct{} // by when they began; closed to let one in
}

// NewQueue returns a Queue, for LedgerOptions of all ledgers of a process.
func NewQueue() *Queue { return &Queue{waiting: make(map[int]chan struct{})} }

// begin gives a place, behind all that began before.
func (q *Queue) begin() (place int) {
	if q == nil {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.begun++
	return q.begun
}

// enter waits for the turn of a place. Without an error, leave must follow.
func (q *Queue) enter(ctx context.Context, place int) error {
	if q == nil {
		return nil
	}
	q.mu.Lock()
	if !q.writing {
		q.writing = true
		q.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	q.waiting[place] = turn
	q.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	_, still := q.waiting[place]
	delete(q.waiting, place)
	q.mu.Unlock()
	if !still {
		q.leave() // its turn came all the same
	}
	return ctx.Err()
}

// leave gives the turn on.
func (q *Queue) leave() {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	first := 0
	for place := range q.waiting {
		if first == 0 || place < first {
			first = place
		}
	}
	if first == 0 {
		q.writing = false
		return
	}
	close(q.waiting[first])
	delete(q.waiting, first)
}
