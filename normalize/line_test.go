package normalize_test

import (
	"context"
	"errors"
	"net"
	"sync"
)

// line is a process's connections to Kafka: cut, the process is as good as killed; frozen, it is a
// paused one that does not know it.
type line struct {
	mu     sync.Mutex
	wake   *sync.Cond
	frozen bool
	dead   bool
	conns  []net.Conn
}

var errKilled = errors.New("killed")

func newLine() *line {
	l := &line{}
	l.wake = sync.NewCond(&l.mu)
	return l
}

func (l *line) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if !l.open() {
		return nil, errKilled
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		_ = conn.Close()
		return nil, errKilled
	}
	l.conns = append(l.conns, conn)
	return &lineConn{Conn: conn, line: l}, nil
}

// open waits while the line is frozen, and says whether it still lives.
func (l *line) open() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.frozen && !l.dead {
		l.wake.Wait()
	}
	return !l.dead
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.wake.Broadcast()
}

func (l *line) freeze(frozen bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = frozen
	l.wake.Broadcast()
}

type lineConn struct {
	net.Conn
	line *line
}

func (c *lineConn) Write(b []byte) (int, error) {
	if !c.line.open() {
		return 0, errKilled
	}
	return c.Conn.Write(b)
}
