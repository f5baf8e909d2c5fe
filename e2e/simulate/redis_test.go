package simulate

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

var errAway = errors.New("simulated: connection refused")

// memory is Redis: a server that may go away, forget, remember only what it knew earlier, or refuse a part.
type memory struct {
	mu      sync.Mutex
	server  *miniredis.Miniredis
	away    bool
	earlier []snapshot
	refuses *refusals
}

// snapshot is everything Redis held at a moment.
type snapshot struct {
	at     time.Time
	values map[string]kept
}

type kept struct {
	value string
	ttl   time.Duration
}

// maxSnapshots bounds how far back Redis may jump.
const maxSnapshots = 6

// newMemory makes one whose keys do not age: a run is shorter than the life of any of them.
func newMemory(seed uint64) *memory {
	m := &memory{server: miniredis.NewMiniRedis()}
	m.refuses = newRefusals(seed, m.server.Server)
	return m
}

func (m *memory) dial(context.Context, string, string) (net.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return nil, errAway
	}
	conn, err := m.server.Dial()
	if err != nil {
		return nil, err
	}
	m.server.Server().SetPreHook(m.refuses.hook)
	return pump(conn), nil
}

// flush is FLUSHALL: connections stay.
func (m *memory) flush() { m.server.FlushAll() }

// remember keeps a snapshot to jump back to.
func (m *memory) remember() {
	now := snapshot{time.Now(), map[string]kept{}}
	for _, key := range m.server.Keys() {
		if value, err := m.server.Get(key); err == nil {
			now.values[key] = kept{value, m.server.TTL(key)}
		}
	}
	m.earlier = append(m.earlier, now)
	if len(m.earlier) > maxSnapshots {
		m.earlier = m.earlier[1:]
	}
}

// jump restarts Redis with what it held earlier, as a replica does that was behind and takes over:
// connections break, and nobody sees it half restored. It says how far it jumped.
func (m *memory) jump(n int) time.Duration {
	if len(m.earlier) == 0 {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	then := m.earlier[n%len(m.earlier)]
	m.server.Close()
	m.server.FlushAll()
	for key, k := range then.values {
		_ = m.server.Set(key, k.value)
		if k.ttl > 0 {
			m.server.SetTTL(key, k.ttl)
		}
	}
	return time.Since(then.at)
}

// leave breaks every connection and refuses new ones; back ends it. What Redis held, it holds.
func (m *memory) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = true
	m.server.Close()
}

func (m *memory) back() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = false
}

// pumped is a pipe whose writes never wait, as those of a socket with room in its buffer: the Redis
// client sends a whole pipeline before it reads the first answer, and the server answers each command
// before it reads the next.
type pumped struct {
	net.Conn
	mu     sync.Mutex
	queue  []byte
	wake   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func pump(conn net.Conn) *pumped {
	p := &pumped{Conn: conn, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	go p.run()
	return p
}

func (p *pumped) run() {
	for {
		p.mu.Lock()
		b := p.queue
		p.queue = nil
		p.mu.Unlock()
		if len(b) > 0 {
			if _, err := p.Conn.Write(b); err != nil {
				return
			}
			continue
		}
		select {
		case <-p.wake:
		case <-p.closed:
			return
		}
	}
}

func (p *pumped) Write(b []byte) (int, error) {
	select {
	case <-p.closed:
		return 0, net.ErrClosed
	default:
	}
	p.mu.Lock()
	p.queue = append(p.queue, b...)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (p *pumped) Close() error {
	p.once.Do(func() { close(p.closed) })
	return p.Conn.Close()
}

// Deadlines are for reading: a write does not wait.
func (p *pumped) SetDeadline(t time.Time) error    { return p.Conn.SetReadDeadline(t) }
func (p *pumped) SetWriteDeadline(time.Time) error { return nil }
