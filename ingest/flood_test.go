package ingest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestFloodSilencesNobody: strangers open far more connections than there is room for and keep them, in each way in
// which a connection can be kept without a proof. A vendor that delivers meanwhile, on new connections and from the
// same network, is answered at once, every time.
func TestFloodSilencesNobody(t *testing.T) {
	head := "POST /hooks/%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	signature := testHeader + ": " + strings.Repeat("0", 64) + "\r\n"
	for name, sent := range map[string]string{
		"nothing":                       "",
		"half a request line":           "POST /hooks/o",
		"half a header":                 fmt.Sprintf(head, "one"),
		"half of a large header":        fmt.Sprintf(head, "one") + "X-A: " + strings.Repeat("a", 14<<10),
		"one byte of a body":            fmt.Sprintf(head, "one") + signature + "Content-Length: 100\r\n\r\n{",
		"one byte for an unknown name":  fmt.Sprintf(head, "nobody") + signature + "Content-Length: 100\r\n\r\n{",
		"one chunk of a body":           fmt.Sprintf(head, "one") + signature + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
		"one byte of a large body":      fmt.Sprintf(head, "one") + signature + "Content-Length: 1000000\r\n\r\n{",
		"a request, and then no other":  "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"no proof, and then no request": fmt.Sprintf(head, "one") + "Content-Length: 0\r\n\r\n",
	} {
		for _, networks := range []int{1, 200} {
			t.Run(fmt.Sprintf("%s, from %d networks", name, networks), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { flood(t, sent, networks) })
			})
		}
	}
}

func flood(t *testing.T, sent string, networks int) {
	log := ackAll()
	o := testOptions(t, log)
	o.MaxRequests, o.MaxUnprovedConnections = 20, 100
	s := newServer(t, o)
	l, stop := run(t, s)
	request := wire(t, "one", "old", testBody, false)
	for i := range 1000 {
		c, err := l.dialFrom(&net.TCPAddr{IP: net.IPv4(10, 0, byte(i%networks), 1), Port: 1 + i})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		go func() { _, _ = io.WriteString(c, sent) }()
		go func() { _, _ = io.Copy(io.Discard, c) }()
		synctest.Wait()
		if i%20 != 19 {
			continue
		}
		got := exchangeFrom(l, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 1}, request)
		if got.status != http.StatusOK || got.after != 0 {
			t.Fatalf("beside %d connections, a signed delivery is answered %d after %s (%v), want 200 at once", i+1, got.status, got.after, got.err)
		}
	}
	if n := s.room.occupied(); n > o.MaxUnprovedConnections {
		t.Errorf("%d connections are there, want at most %d", n, o.MaxUnprovedConnections)
	}
	if len(log.all()) != 50 {
		t.Errorf("%d deliveries were stored, want the 50 that are signed", len(log.all()))
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	time.Sleep(time.Second) // net/http lingers before it closes
}

// exchangeFrom is exchange over a connection from an address.
func exchangeFrom(l *pipeListener, from net.Addr, request []byte) reply {
	start := time.Now()
	c, err := l.dialFrom(from)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = c.Close() }()
	go func() { _, _ = c.Write(request) }()
	got := readReply(bufio.NewReader(c))
	got.after = time.Since(start)
	return got
}

// TestUnprovedMemoryIsBounded: what the process really holds keeps to what the room counts.
func TestUnprovedMemoryIsBounded(t *testing.T) {
	head := "POST /hooks/one HTTP/1.1\r\nHost: x\r\n" + testHeader + ": " + strings.Repeat("0", 64) + "\r\n"
	for _, tc := range []struct {
		name, sent string
		times      int
	}{
		{"half headers", head + "X-A: " + strings.Repeat("a", 14<<10), 4000},
		{"bodies", head + "Content-Length: 1000000\r\n\r\n" + strings.Repeat("a", 900_000), 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sent := []byte(tc.sent)
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, testOptions(t, ackAll()))
				l, stop := run(t, s)
				before := liveHeap()
				for i := range tc.times {
					c, err := l.dialFrom(&net.TCPAddr{IP: net.IPv4(10, byte(i>>8), byte(i), 1), Port: 1})
					if err != nil {
						t.Fatal(err)
					}
					go func() {
						_, _ = c.Write(sent)
						_, _ = io.Copy(io.Discard, c)
					}()
				}
				synctest.Wait()
				if held := s.room.held(); held > DefaultMaxUnprovedBytes {
					t.Errorf("%d bytes are counted, want at most %d", held, DefaultMaxUnprovedBytes)
				}
				// The other ends of the connections live here as well, and a goroutine of each.
				if grown := liveHeap() - before; grown > 2*DefaultMaxUnprovedBytes {
					t.Errorf("the heap has grown by %d bytes, want at most %d", grown, 2*DefaultMaxUnprovedBytes)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Second) // net/http lingers before it closes
			})
		})
	}
}

func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestNoisySourceWaits: a network whose deliveries are refused over and over is told 429, late, and its bodies are
// not read; a vendor that was proved from the same network is not concerned.
func TestNoisySourceWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		o := testOptions(t, ackAll())
		o.Registerer = registry
		s := newServer(t, o)
		from := func(network byte, secret string) reply {
			r := signed(t, "one", secret, testBody)
			r.RemoteAddr = fmt.Sprintf("10.0.%d.1:1", network)
			start := time.Now()
			w := serve(s, r)
			return reply{status: w.Code, header: w.Header(), after: time.Since(start)}
		}
		fail := func(network byte) {
			p, _ := s.room.enter(sourceOf(netip.AddrFrom4([4]byte{10, 0, network, 1})), false, func() {})
			defer p.leave()
			for range failureBurst {
				p.fail()
			}
		}
		if got := from(1, "wrong"); got.status != http.StatusUnauthorized || got.after != 0 {
			t.Errorf("a failure is answered %d after %s, want 401 at once", got.status, got.after)
		}
		fail(1)
		if got := from(1, "old"); got.status != http.StatusTooManyRequests || got.after != noisyWait || got.header.Get("Retry-After") == "" {
			t.Errorf("one that failed too often is answered %d after %s with Retry-After %q, want 429 after %s", got.status, got.after, got.header.Get("Retry-After"), noisyWait)
		}
		for _, earlier := range []string{"another network", "a network that was proved lately"} {
			if got := from(2, "old"); got.status != http.StatusOK || got.after != 0 {
				t.Errorf("%s is answered %d after %s, want 200 at once", earlier, got.status, got.after)
			}
			fail(2)
		}
		if got := from(2, "wrong"); got.status != http.StatusUnauthorized || got.after != noisyWait {
			t.Errorf("its failures are answered %d after %s, want 401 after %s", got.status, got.after, noisyWait)
		}
		if n := gathered(t, registry)[`kycbridge_ingest_deliveries_total{endpoint="one",outcome="noisy",provider="testvendor"}`]; n == 0 {
			t.Error("no request is counted as noisy")
		}
	})
}

// TestEvictedRequestIsAnswered: whoever loses its place while its body is read is told to come again.
func TestEvictedRequestIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t, ackAll())
		o.MaxUnprovedConnections = 1
		l, stop := run(t, newServer(t, o))
		request := wire(t, "one", "old", testBody, false)
		evicted := make(chan reply, 1)
		go func() { evicted <- exchange(l, request[:len(request)-1]) }()
		synctest.Wait()
		c, err := l.dial()
		if err != nil {
			t.Fatal(err)
		}
		if got := <-evicted; got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || !got.close || got.after != 0 {
			t.Errorf("answered %+v, want 429 with Retry-After at once, and the connection closed", got)
		}
		_ = c.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestLeastRate: a body that keeps to the least rate may take its time; the others are given up when they fall behind.
func TestLeastRate(t *testing.T) {
	d := delivery{started: time.Now(), endpoint: &endpoint{budget: 10 * time.Second}}
	for received, want := range map[int]time.Duration{
		0:        bodyStart,
		bodyRate: bodyStart + time.Second,
		1 << 20:  10 * time.Second, // when the answer is due
	} {
		if got := d.bodyDue(received).Sub(d.started); got != want {
			t.Errorf("after %d bytes, the next is due after %s, want %s", received, got, want)
		}
	}
}

// TestStrangersTakeTurns: what comes before a proof is computed for no more connections at a time than there are turns,
// neither for strangers nor for senders that were proved lately. A connection that is given up, or waits, has no turn,
// and one that has brought a proved delivery needs none.
func TestStrangersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRoom(1<<30, 1<<30, 1<<20)
		l := &lanes{make(turns, 2), make(turns, 1)}
		var computing atomic.Int64
		var visitors []*visitor
		read := func(v *visitor) {
			go func() {
				if _, err := v.Read(make([]byte, 10)); err == nil {
					computing.Add(1)
				}
			}()
			synctest.Wait()
		}
		visit := func(network int) *visitor {
			here, there := net.Pipe()
			v := &visitor{Conn: there, lanes: l, abandoned: func() {}, place: r.enter("", network)}
			visitors = append(visitors, v)
			go func() { _, _ = here.Write([]byte("hello, hello, hello")) }()
			go func() { _, _ = io.Copy(io.Discard, here) }()
			return v
		}
		want := func(n int64, after string) {
			t.Helper()
			synctest.Wait()
			if got := computing.Load(); got != n {
				t.Errorf("after %s, %d connections have had a turn, want %d", after, got, n)
			}
		}
		for range 10 {
			read(visit(1))
		}
		want(2, "ten strangers")
		r.enter("", 2).prove()
		read(visit(2))
		read(visit(2))
		want(3, "two of a known network")
		_, _ = visitors[0].Write([]byte("our part"))
		want(4, "an answer")
		_ = visitors[1].Close()
		want(5, "an end")
		visitors[2].begin()
		request := httptest.NewRequest(http.MethodPost, "/", nil)
		go makeWait(request, visitors[2])
		want(6, "a refusal that is kept back")
		_ = visitors[3].Conn.SetReadDeadline(past)
		_, _ = visitors[3].Read(make([]byte, 10))
		want(7, "waiting for more")
		visitors[4].begin()
		visitors[4].prove()
		want(8, "a proof")
		visitors[4].end()
		read(visitors[4])
		want(9, "another request of the proved")
		visitors[5].begin()
		read(visitors[5]) // as net/http does beside the handler
		want(11, "a look for what comes after the request")
		lost := make(chan error, 1)
		last := visit(1)
		go func() {
			_, err := last.Read(make([]byte, 10))
			lost <- err
		}()
		synctest.Wait()
		close(last.place.gone)
		if err := <-lost; !errors.Is(err, net.ErrClosed) {
			t.Errorf("one that loses its place while it waits for a turn reads %v", err)
		}
		for range visitors {
			for _, v := range visitors { // as whoever serves each does, when it is done with what it has read
				_ = v.Close()
			}
			synctest.Wait()
		}
		if len(l.strangers) != 0 || len(l.known) != 0 {
			t.Errorf("%d and %d turns are never ended", len(l.strangers), len(l.known))
		}
		time.Sleep(noisyWait)
	})
}
