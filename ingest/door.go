package ingest

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// A door lets connections in and gives each its place in the room.
type door struct {
	net.Listener
	room      *room
	lanes     *lanes
	proxies   []netip.Prefix
	refused   func() // called for each connection that is not let in
	abandoned func() // called for each that ends without a request
}

// Accept returns the next connection that found a place. One that did not is closed without a word, which costs
// less than any answer.
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer := auth.ClientAddr(c.RemoteAddr().String(), nil, nil)
		v := &visitor{Conn: c, lanes: d.lanes, abandoned: d.abandoned}
		var ok bool
		if v.place, ok = d.room.enter(sourceOf(peer), auth.Contains(d.proxies, peer), v.evict); ok {
			return v, nil
		}
		d.refused()
		reset(c)
	}
}

// reset closes without waiting for anything to be sent or confirmed.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// A visitor is a connection with a place in the room.
type visitor struct {
	net.Conn
	place     *place
	lanes     *lanes
	turn      turn
	abandoned func()

	mu      sync.Mutex
	handled bool // its request is in the handler, which answers whatever happens
	heard   bool // it has sent a request
	proved  bool // it has brought a proved delivery
	closed  bool
	sent    int64 // bytes of what is no request yet
}

// A header costs more than its bytes: its lines grow in buffers of their own. The cost of a place covers its beginning.
const (
	headerFree   = 4 << 10
	headerWeight = 3
)

// Read counts the bytes of what is no request yet. The body is counted by who reads it. What is made of the
// bytes is computed in turn.
func (v *visitor) Read(b []byte) (int, error) {
	v.turn.end()
	n, err := v.Conn.Read(b)
	v.mu.Lock()
	dear := !v.handled && !v.proved && n > 0
	var more int64
	if !v.handled {
		before := max(v.sent, headerFree)
		v.sent += int64(n)
		more = headerWeight * max(v.sent-before, 0)
	}
	v.mu.Unlock()
	if more > 0 && !v.place.hold(more) {
		return 0, net.ErrClosed
	}
	if dear {
		if lost := v.turn.begin(v.lanes, v.place); lost != nil {
			return 0, lost
		}
	}
	return n, err
}

// evict ends a connection that has no request, without a word. The request of one that has is read no further,
// and its handler answers.
func (v *visitor) evict() {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.Conn == nil: // a request without a connection, in tests
	case v.handled:
		_ = v.Conn.SetReadDeadline(past)
	default:
		reset(v.Conn)
	}
}

// Write sends an answer. After that of an evicted request there is no other, and net/http's courtesy of lingering
// would keep what nobody counts any more.
func (v *visitor) Write(b []byte) (int, error) {
	v.turn.end()
	n, err := v.Conn.Write(b)
	if v.place.wasEvicted() {
		_ = v.Conn.Close()
	}
	return n, err
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// SetReadDeadline does not let net/http give more time to one that was evicted.
func (v *visitor) SetReadDeadline(t time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.place.wasEvicted() {
		t = past
	}
	return v.Conn.SetReadDeadline(t)
}

// SetDeadline is that of both directions.
func (v *visitor) SetDeadline(t time.Time) error {
	if err := v.Conn.SetWriteDeadline(t); err != nil {
		return err
	}
	return v.SetReadDeadline(t)
}

// Close gives the place back. A connection that never brought a request is a failure of whoever opened it:
// handshakes and half headers cost as much as forged deliveries.
func (v *visitor) Close() error {
	v.turn.end()
	v.mu.Lock()
	heard, closed := v.heard, v.closed
	v.closed = true
	v.mu.Unlock()
	if !heard && !closed {
		v.abandoned()
		if !v.place.wasEvicted() { // which has counted already
			v.place.fail()
		}
	}
	v.place.leave()
	return v.Conn.Close()
}

// begin hands the connection to a handler, until end.
func (v *visitor) begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.handled, v.heard = true, true
}

// prove notes that the connection has brought a proved delivery.
func (v *visitor) prove() {
	v.turn.end()
	v.place.prove()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.proved = true
}

func (v *visitor) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.handled, v.sent = false, 0
}

// watch follows connections from one request to the next, as http.Server.ConnState.
func watch(c net.Conn, state http.ConnState) {
	if v := visitorOf(c); v != nil && state == http.StateIdle {
		v.place.again()
	}
}

// visitorOf is the visitor below the stream and TLS, or nil.
func visitorOf(c net.Conn) *visitor {
	if s, ok := c.(*stream); ok {
		c = s.Conn
	}
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	v, _ := c.(*visitor)
	return v
}

type visitorKey struct{}

// introduce is http.Server.ConnContext: a handler finds the visitor in its request.
func introduce(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, visitorKey{}, visitorOf(c))
}
