package ingest

import (
	"net"
	"runtime"
	"sync"
)

// handshakes bounds how many handshakes are computed at a time. Whoever can connect can ask for one, and it is by far
// the dearest thing there is to ask for: half of the processors stay free of those of strangers, and of those of senders
// that were proved lately, who have turns of their own.
type handshakes struct{ strangers, known turns }

type turns chan struct{}

func newHandshakes() *handshakes {
	n := max(1, runtime.GOMAXPROCS(0)/2)
	return &handshakes{make(turns, n), make(turns, n)}
}

// A turn is one connection's right to compute: it lasts from when bytes of a handshake have come to when more are
// waited for or an answer is sent. Who waits for it holds a place in the room.
type turn struct {
	mu sync.Mutex
	of turns // nil between turns
}

// begin waits for a turn, unless the place is lost.
func (t *turn) begin(h *handshakes, p *place) error {
	of := h.strangers
	if p.known() {
		of = h.known
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
