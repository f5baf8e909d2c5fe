package e2e

import (
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/embedded/repair"
)

// fakeKafka is the in-process broker on real ports: the programs under test are
// processes of their own, and the test holds the levers.
type fakeKafka struct {
	*kfake.Cluster
	gates []*gate
}

func startFake(t testing.TB, brokers int) *fakeKafka {
	t.Helper()
	f := &fakeKafka{}
	var ports []int
	for range brokers {
		_, port, _ := net.SplitHostPort(freePort(t))
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, n)
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(brokers), kfake.Ports(ports...), kfake.GroupMinSessionTimeout(time.Second),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": "5242880"}),
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			g, err := newGate(network, address)
			if err == nil {
				f.gates = append(f.gates, g)
			}
			return g, err
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	f.Cluster = cluster
	t.Cleanup(cluster.Close)
	repair.Epochs(cluster)
	repair.Fetch(cluster)
	return f
}

func (f *fakeKafka) address() string { return strings.Join(f.ListenAddrs(), ",") }

// down lets no broker be reached, and drops every connection; up ends that. What
// was acknowledged stays.
func (f *fakeKafka) down() {
	for _, g := range f.gates {
		g.shut()
	}
}

func (f *fakeKafka) up(t testing.TB) {
	t.Helper()
	for _, g := range f.gates {
		if err := g.reopen(); err != nil {
			t.Fatal(err)
		}
	}
}

// cut drops every connection once.
func (f *fakeKafka) cut() {
	for _, g := range f.gates {
		g.cut()
	}
}

// delay holds back what the brokers are sent.
func (f *fakeKafka) delay(d func() time.Duration) {
	for _, g := range f.gates {
		g.setDelay(d)
	}
}

// silence takes requests of one kind and never answers them; the result ends it.
func (f *fakeKafka) silence(key kmsg.Key) (speak func()) {
	var once sync.Mutex
	silent := true
	f.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
		once.Lock()
		defer once.Unlock()
		if !silent {
			return nil, nil, false
		}
		f.KeepControl()
		return nil, nil, true
	})
	return func() {
		once.Lock()
		defer once.Unlock()
		silent = false
	}
}

// gate is a listener that can be shut and opened again on the same port.
type gate struct {
	network, addr string
	accepted      chan net.Conn
	done          chan struct{}

	mu    sync.Mutex
	ln    net.Listener // nil while shut
	conns map[net.Conn]bool
	slow  func() time.Duration
	once  sync.Once
}

func newGate(network, address string) (*gate, error) {
	g := &gate{network: network, accepted: make(chan net.Conn), done: make(chan struct{}), conns: map[net.Conn]bool{}}
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	g.addr = ln.Addr().String()
	g.open(ln)
	return g, nil
}

func (g *gate) open(ln net.Listener) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ln = ln
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			select {
			case g.accepted <- g.hold(conn):
			case <-g.done:
				_ = conn.Close()
				return
			}
		}
	}()
}

func (g *gate) hold(conn net.Conn) net.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	held := &gatedConn{Conn: conn, gate: g}
	g.conns[held] = true
	return held
}

func (g *gate) Accept() (net.Conn, error) {
	select {
	case conn := <-g.accepted:
		return conn, nil
	case <-g.done:
		return nil, net.ErrClosed
	}
}

func (g *gate) Addr() net.Addr {
	addr, _ := net.ResolveTCPAddr(g.network, g.addr)
	return addr
}

func (g *gate) Close() error {
	g.once.Do(func() { close(g.done) })
	g.shut()
	return nil
}

func (g *gate) shut() {
	g.mu.Lock()
	if g.ln != nil {
		_ = g.ln.Close()
		g.ln = nil
	}
	g.mu.Unlock()
	g.cut()
}

func (g *gate) reopen() error {
	ln, err := net.Listen(g.network, g.addr)
	if err == nil {
		g.open(ln)
	}
	return err
}

func (g *gate) cut() {
	g.mu.Lock()
	all := g.conns
	g.conns = map[net.Conn]bool{}
	g.mu.Unlock()
	for conn := range all {
		_ = conn.Close()
	}
}

func (g *gate) setDelay(d func() time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.slow = d
}

type gatedConn struct {
	net.Conn
	gate *gate
}

func (c *gatedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.gate.mu.Lock()
	slow := c.gate.slow
	c.gate.mu.Unlock()
	if slow != nil && n > 0 {
		pause(context.Background(), slow())
	}
	return n, err
}
