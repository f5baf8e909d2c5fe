// Package attack is the hostile side of `bench attacks`, in a process of its own: connections that hold, trickle,
// ask or shake hands, from as many loopback addresses as it is told to.
//
// It knows nothing of what it attacks. What a request says, and what an answer means, is its caller's business.
package attack

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Variable makes a program that calls Main play the attacker.
const Variable = "KYCBRIDGE_BENCH_ATTACKER"

// A Kind is what each connection does.
type Kind string

const (
	Hold      Kind = "hold"      // sends its bytes, and stays until it is thrown out
	Trickle   Kind = "trickle"   // the same, with a few bytes more ten times a second
	Ask       Kind = "ask"       // sends a whole request, reads the answer, and again
	Linger    Kind = "linger"    // sends a whole request, reads the answer, and stays until it is thrown out
	Deaf      Kind = "deaf"      // sends whole requests one after the other, and reads no answer
	Handshake Kind = "handshake" // a TLS handshake, and a new connection
	HalfHello Kind = "half"      // the first flight of one, the server's answer to it, and a new connection
)

// A Plan says what to do. Whoever is thrown out comes again.
type Plan struct {
	Kind        Kind
	Target      string        // host:port
	From        []netip.Addr  // own addresses, taken in turn
	Connections int           // at a time
	Wires       [][]byte      // what connections send, taken in turn
	Again       time.Duration // from being thrown out to coming again
	Once        bool          // Ask: each of them once, and then nothing more
}

// A Tally is what came of it.
type Tally struct {
	Opened    int            // connections
	NotOpened int            // attempts that failed
	Cut       int            // connections that ended without an answer
	Answers   map[string]int // by status, such as "401"
	Shaken    int            // handshakes that the server took part in
}

// Answered is how many answers there were.
func (t Tally) Answered() (n int) {
	for _, count := range t.Answers {
		n += count
	}
	return n
}

// Main is the process: a Plan as one line of JSON comes in, "ready" goes out, and with the next line it begins. At the
// end of the input it stops, and writes its Tally.
func Main(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("attacker: read the plan: %w", err)
	}
	var p Plan
	if err := json.Unmarshal(line, &p); err != nil {
		return fmt.Errorf("attacker: the plan: %w", err)
	}
	if _, err := fmt.Fprintln(out, "ready"); err != nil {
		return err
	}
	if _, err := lines.ReadBytes('\n'); err != nil {
		return fmt.Errorf("attacker: wait for the start: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		stop()
	}()
	t, err := Run(ctx, p)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(t)
}

// Run attacks until ctx ends.
func Run(ctx context.Context, p Plan) (Tally, error) {
	do, known := kinds[p.Kind]
	switch {
	case !known:
		return Tally{}, fmt.Errorf("attacker: %q is no kind of attack", p.Kind)
	case len(p.From) == 0 || len(p.Wires) == 0 && p.Kind != Handshake && p.Kind != HalfHello:
		return Tally{}, errors.New("attacker: the plan has no addresses to come from, or nothing to send")
	}
	a := &attacker{plan: p, tally: Tally{Answers: map[string]int{}}}
	var group sync.WaitGroup
	for i := range p.Connections {
		group.Go(func() { a.again(ctx, i, do) })
	}
	group.Wait()
	return a.tally, nil
}

// An attacker is safe for concurrent use.
type attacker struct {
	plan  Plan
	asked atomic.Int64 // requests
	mu    sync.Mutex
	tally Tally
}

// done reports whether nothing is left to be sent.
func (a *attacker) done() bool { return a.plan.Once && int(a.asked.Load()) >= len(a.plan.Wires) }

// next is the next request; false: there is none.
func (a *attacker) next() ([]byte, bool) {
	n := int(a.asked.Add(1)) - 1
	if a.plan.Once && n >= len(a.plan.Wires) {
		return nil, false
	}
	return a.plan.Wires[n%len(a.plan.Wires)], true
}

func (a *attacker) note(change func(*Tally)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.tally)
}

// pause is how long an attempt that failed waits for the next: there are no more files or ports just now.
const pause = 20 * time.Millisecond

// again is the life of the i-th of the connections: one after the other.
func (a *attacker) again(ctx context.Context, i int, do func(context.Context, *attacker, net.Conn, []byte)) {
	from := a.plan.From[i%len(a.plan.From)]
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), KeepAlive: -1}
	for ctx.Err() == nil && !a.done() {
		c, err := dialer.DialContext(ctx, "tcp", a.plan.Target)
		if errors.Is(err, syscall.ECONNRESET) { // it was let in, and thrown out before it could do anything
			a.note(func(t *Tally) { t.Opened++; t.Cut++ })
			sleep(ctx, a.plan.Again)
			continue
		}
		if err != nil {
			a.note(func(t *Tally) { t.NotOpened++ })
			sleep(ctx, pause)
			continue
		}
		a.note(func(t *Tally) { t.Opened++ })
		var wire []byte
		if n := len(a.plan.Wires); n > 0 {
			wire = a.plan.Wires[i%n]
		}
		ended := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		do(ctx, a, c, wire)
		ended()
		// A port that waits for stray packets is one less to come from.
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
		sleep(ctx, a.plan.Again)
	}
}

// sleep waits, but not beyond the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	if d == 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
