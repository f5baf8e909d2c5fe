package ingest

import (
	"net"
	"runtime"
	"slices"
	"sync"
)

// lanes bound how many connections make us compute at a time before their senders are proved. A handshake is by far the
// dearest thing to ask for, and a header comes next; whoever can connect can ask for both. Half of the processors stay
// free of what strangers ask for, and of what senders do that were proved lately, who have a lane of their own. A
// connection that has brought a proved delivery waits for nobody.
type lanes struct{ strangers, known lane }

func newLanes() *lanes {
	n := max(1, runtime.GOMAXPROCS(0)/2)
	return &lanes{strangers: lane{free: n}, known: lane{free: n}}
}

// A lane hands out turns, to whoever came last first: those of a flood then wait behind the newcomer that is none of
// them, and the room loses them in the order in which they came.
type lane struct {
	mu      sync.Mutex
	free    int
	waiting []chan struct{} // closed with a turn
}

// enter waits for a turn; false: gone was closed first.
func (l *lane) enter(gone <-chan struct{}) bool {
	l.mu.Lock()
	if l.free > 0 {
		l.free--
		l.mu.Unlock()
		return true
	}
	mine := make(chan struct{})
	l.waiting = append(l.waiting, mine)
	l.mu.Unlock()
	select {
	case <-mine:
		return true
	case <-gone:
	}
	if !l.giveUp(mine) {
		l.leave() // both at once: the turn is somebody else's
	}
	return false
}

// giveUp stops waiting, unless there is a turn already.
func (l *lane) giveUp(mine chan struct{}) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(l.waiting, mine)
	if at < 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, at, at+1)
	return true
}

// leave hands a turn on.
func (l *lane) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.waiting) - 1
	if last < 0 {
		l.free++
		return
	}
	close(l.waiting[last])
	l.waiting = slices.Delete(l.waiting, last, last+1)
}

// A turn is one connection's right to compute: it lasts from when bytes of a handshake or a header have come to when more
// are waited for or an answer is sent. Who waits for it holds a place in the room.
type turn struct {
	mu sync.Mutex
	of *lane // nil between turns
}

// begin waits for a turn, unless the place is lost.
func (t *turn) begin(l *lanes, p *place) error {
	of := &l.strangers
	if p.known() {
		of = &l.known
	}
	if !of.enter(p.gone) {
		return net.ErrClosed
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of = of
	return nil
}

// end ends the turn, if there is one.
func (t *turn) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of != nil {
		t.of.leave()
		t.of = nil
	}
}
