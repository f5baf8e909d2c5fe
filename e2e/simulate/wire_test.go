package simulate

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/normalize/normalizetest"
)

var errCut = errors.New("simulated: the connection is cut")

// moment is where a process may be when it dies.
type moment uint8

const (
	before   moment = iota // the request is not sent
	sent                   // it is, and nobody waits for the answer
	answered               // the answer is on its way, and does not arrive
)

func (m moment) String() string { return [...]string{"before", "after sending", "at the answer to"}[m] }

// What Redis is asked, in place of a Kafka request's key, which is never negative.
const (
	claiming = -1 // a pipeline with claims, and the marks of the batch before
	marking  = -2 // marks with their watermark: a repair, or nothing else is to be done; or a claim is taken over
	saving   = -3 // marks without it: a replay
	looking  = -4 // nothing is written
	other    = -5
)

// trap strikes once, at one kind of request.
type trap struct {
	key    int16
	when   moment
	strike func()
}

// wires is all that one process has of the network, with everything that goes wrong on it.
type wires struct {
	mu    sync.Mutex
	rng   *rand.Rand
	slow  time.Duration // longest delay of one write
	trap  *trap
	lose  int       // how many answers get lost, each with its connection
	until time.Time // until then what is sent goes nowhere
	open  map[*wire]struct{}
}

func newWires(seed uint64, slow time.Duration) *wires {
	return &wires{rng: rand.New(rand.NewPCG(seed, 7)), slow: slow, open: map[*wire]struct{}{}}
}

// over adds the faults to a network.
func (s *wires) over(dial normalizetest.Dial) normalizetest.Dial {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		w := &wire{Conn: conn, of: s}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open[w] = struct{}{}
		return w, nil
	}
}

// drop cuts every connection; new ones work.
func (s *wires) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.open {
		_ = w.Conn.Close()
	}
}

// setTrap replaces the trap.
func (s *wires) setTrap(t *trap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trap = t
}

// disarm takes a trap away that was not sprung.
func (s *wires) disarm(t *trap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trap == t {
		s.trap = nil
	}
}

// loseAnswers breaks the connections of the next n answers.
func (s *wires) loseAnswers(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose = n
}

// swallow sends nothing for a while, while everything seems to be well.
func (s *wires) swallow(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = time.Now().Add(d)
}

func (s *wires) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trap, s.lose, s.until = nil, 0, time.Time{}
}

func (s *wires) delay() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(s.rng.Int64N(int64(s.slow)))
}

// spring takes the trap if this is its moment.
func (s *wires) spring(key int16, when moment) *trap {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.trap
	if t == nil || t.key != key || t.when != when {
		return nil
	}
	s.trap = nil
	return t
}

// wire is one connection. A Write carries one whole request, or several whole ones.
type wire struct {
	net.Conn
	of *wires

	mu    sync.Mutex
	asked int16 // the request whose answer comes next
	sunk  bool  // something was swallowed: nothing after it may arrive
}

func (w *wire) Write(b []byte) (int, error) {
	time.Sleep(w.of.delay())
	key := keyOf(b)
	if t := w.of.spring(key, before); t != nil {
		t.strike()
		return 0, errCut
	}
	if w.sinks() {
		return len(b), nil
	}
	w.mu.Lock()
	w.asked = key
	w.mu.Unlock()
	n, err := w.Conn.Write(b)
	if t := w.of.spring(key, sent); t != nil && err == nil {
		t.strike()
	}
	return n, err
}

func (w *wire) sinks() bool {
	w.of.mu.Lock()
	hole := time.Now().Before(w.of.until)
	w.of.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sunk = w.sunk || hole
	return w.sunk
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err != nil {
		return n, err
	}
	w.mu.Lock()
	asked := w.asked
	w.mu.Unlock()
	if t := w.of.spring(asked, answered); t != nil {
		t.strike()
		return 0, errCut
	}
	if w.loses() {
		_ = w.Close()
		return 0, errCut
	}
	return n, nil
}

func (w *wire) loses() bool {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	if w.of.lose == 0 {
		return false
	}
	w.of.lose--
	return true
}

func (w *wire) Close() error {
	w.of.mu.Lock()
	delete(w.of.open, w)
	w.of.mu.Unlock()
	return w.Conn.Close()
}

// keyOf says which request starts with these bytes: one of Redis, or a Kafka request's key.
func keyOf(b []byte) int16 {
	switch {
	case len(b) >= 8 && int(binary.BigEndian.Uint32(b))+4 == len(b):
		return int16(binary.BigEndian.Uint16(b[4:]))
	case bytes.Contains(b, []byte("\r\nnx\r\n")):
		return claiming
	case bytes.Contains(b, []byte("\r\neval\r\n")):
		return marking
	case bytes.Contains(b, []byte("probe\r\n")):
		return other
	case bytes.Contains(b, []byte("\r\nset\r\n")):
		return saving
	case bytes.Contains(b, []byte("\r\nget\r\n")):
		return looking
	}
	return other
}

func requestName(key int16) string {
	switch key {
	case claiming:
		return "claims"
	case marking:
		return "marks"
	case saving:
		return "marks of a replay"
	case looking:
		return "a look"
	}
	return kmsg.Key(key).Name()
}
