// Package normalizetest is what tests of the normaliser and its stages stand on: a broker and a Redis in
// the test's process, and processes that are killed and frozen without ending the test's own, since what
// a process has of Kafka is its connections. It knows no vendor, and says nothing about what must come
// out.
package normalizetest

import (
	"context"
	"errors"
	"net"
	"sync"
)

// ErrKilled is what a process sees after its line was cut.
var ErrKilled = errors.New("killed")

// Line is a process's connections to Kafka: cut, the process is as good as killed; frozen, it is a paused
// one that does not know it.
type Line struct {
	dial   Dial
	client string // the process's Kafka client id, where its addresses do not tell it apart

	mu     sync.Mutex
	wake   *sync.Cond
	frozen bool
	dead   bool
	conns  []net.Conn
}

// Dial opens a connection.
type Dial = func(ctx context.Context, network, addr string) (net.Conn, error)

// NewLine returns a line that works, over TCP.
func NewLine() *Line { return LineOver((&net.Dialer{}).DialContext) }

// LineOver returns a line that works over another network.
func LineOver(dial Dial) *Line {
	l := &Line{dial: dial}
	l.wake = sync.NewCond(&l.mu)
	return l
}

// Dial is for the options of a client.
func (l *Line) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if !l.open() {
		return nil, ErrKilled
	}
	conn, err := l.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		_ = conn.Close()
		return nil, ErrKilled
	}
	l.conns = append(l.conns, conn)
	return &lineConn{Conn: conn, line: l}, nil
}

// open waits while the line is frozen, and reports whether it still lives.
func (l *Line) open() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.frozen && !l.dead {
		l.wake.Wait()
	}
	return !l.dead
}

// Cut ends every connection, and refuses new ones.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.wake.Broadcast()
}

// Freeze holds back everything that is to be written, or lets it go.
func (l *Line) Freeze(frozen bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = frozen
	l.wake.Broadcast()
}

// names gives what the broker knows of the line's process: its client id, or else the process's side of
// each connection.
func (l *Line) names() (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client != "" {
		return []string{l.client}
	}
	for _, c := range l.conns {
		all = append(all, c.LocalAddr().String())
	}
	return all
}

func (l *Line) cut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

type lineConn struct {
	net.Conn
	line *Line
}

func (c *lineConn) Write(b []byte) (int, error) {
	if !c.line.open() {
		return 0, ErrKilled
	}
	return c.Conn.Write(b)
}
