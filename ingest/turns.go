package ingest

import (
	"net"
	"runtime"
	"sync"
)

// lanes bound how many connections make us compute at a time before their senders are proved. A handshake is by far the
// dearest thing to ask for, and a header comes next; whoever can connect can ask for both. Half of the processors stay
// free of what strangers ask for, and of what senders do that were proved lately, who have a lane of their own. A
// connection that has brought a proved delivery waits for nobody.
type lanes struct{ strangers, known turns }

type turns chan struct{}

func newLanes() *lanes {
	n := max(1, runtime.GOMAXPROCS(0)/2)
	return &lanes{make(turns, n), make(turns, n)}
}

// A turn is one connection's right to compute: it lasts from when bytes of a handshake or a header have come to when more
// are waited for or an answer is sent. Who waits for it holds a place in the room.
type turn struct {
	mu sync.Mutex
	of turns // nil between turns
}

// begin waits for a turn, unless the place is lost.
func (t *turn) begin(l *lanes, p *place) error {
	of := l.strangers
	if p.known() {
		of = l.known
	}
	select {
	case of <- struct{}{}:
	case <-p.gone:
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
		<-t.of
		t.of = nil
	}
}
