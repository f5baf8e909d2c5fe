package embedded

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// largestRequest is what Apache Kafka allows too (socket.request.max.bytes).
const largestRequest = 100 << 20

// guard stands in front of kfake, which allocates whatever length the first
// four bytes name and dereferences nil for a request key nobody knows: a browser
// on the wrong port could end the process. It also holds connections back until
// the broker is complete.
type guard struct {
	net.Listener
	logger *slog.Logger
	ready  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newGuard(ln net.Listener, logger *slog.Logger) *guard {
	return &guard{Listener: ln, logger: logger, ready: make(chan struct{}), closed: make(chan struct{})}
}

// open lets connections through. It is called once.
func (g *guard) open() { close(g.ready) }

func (g *guard) Close() error {
	g.once.Do(func() { close(g.closed) })
	return g.Listener.Close()
}

func (g *guard) Accept() (net.Conn, error) {
	select {
	case <-g.ready:
	case <-g.closed:
		return nil, net.ErrClosed
	}
	conn, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guardedConn{Conn: conn, logger: g.logger}, nil
}

// guardedConn follows the frames of a connection: four bytes of length, then
// the request, whose first two bytes are its key.
type guardedConn struct {
	net.Conn
	logger *slog.Logger
	head   [6]byte
	got    int   // bytes of head seen
	left   int64 // bytes of the frame still to come after head
}

func (c *guardedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if wrong := c.follow(p[:n]); wrong != nil {
		c.logger.Warn("embedded broker: connection closed", "peer", c.RemoteAddr().String(), "reason", wrong.Error())
		return 0, wrong
	}
	return n, err
}

func (c *guardedConn) follow(p []byte) error {
	for len(p) > 0 {
		if c.got == len(c.head) {
			n := min(c.left, int64(len(p)))
			p, c.left = p[n:], c.left-n
			if c.left == 0 {
				c.got = 0
			}
			continue
		}
		c.head[c.got] = p[0]
		c.got, p = c.got+1, p[1:]
		if err := c.judge(); err != nil {
			return err
		}
	}
	return nil
}

// judge looks at the length as soon as it is there, then at the key.
func (c *guardedConn) judge() error {
	switch c.got {
	case 4:
		size := binary.BigEndian.Uint32(c.head[:4])
		if size < 8 || size > largestRequest {
			return fmt.Errorf("not a Kafka request: its length would be %d bytes, expected 8 to %d", size, largestRequest)
		}
		c.left = int64(size) - 2
	case 6:
		key := int16(binary.BigEndian.Uint16(c.head[4:]))
		if kmsg.RequestForKey(key) == nil {
			return fmt.Errorf("unknown Kafka request key %d", key)
		}
	}
	return nil
}
