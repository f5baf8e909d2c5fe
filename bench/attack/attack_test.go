package attack

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	first    = netip.MustParseAddr("127.0.0.1")
	loopback = []netip.Addr{first}
)

// untilSeen runs a plan until the server has seen enough.
func untilSeen(t *testing.T, p Plan, enough <-chan struct{}) Tally {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		select {
		case <-enough:
		case <-t.Context().Done():
		}
		stop()
	}()
	tally, err := Run(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	return tally
}

// countdown is closed after n calls of what it returns.
func countdown(n int) (<-chan struct{}, func()) {
	var mu sync.Mutex
	done := make(chan struct{})
	return done, func() {
		mu.Lock()
		defer mu.Unlock()
		if n--; n == 0 {
			close(done)
		}
	}
}

func TestAskCountsAnswersByStatus(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.7.1:0"); err != nil {
		t.Skipf("this system has one loopback address: %v", err)
	} else {
		_ = l.Close()
	}
	enough, seen := countdown(2)
	var mu sync.Mutex
	from := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		mu.Lock()
		from[host]++
		if from[host] == 50 {
			defer seen()
		}
		mu.Unlock()
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/busy" {
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer server.Close()
	wire := func(path string) []byte {
		return []byte("POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
	}
	got := untilSeen(t, Plan{Kind: Ask, Target: server.Listener.Addr().String(), From: []netip.Addr{first, netip.MustParseAddr("127.0.7.1")}, Connections: 4, Wires: [][]byte{wire("/"), wire("/busy")}}, enough)
	mu.Lock()
	defer mu.Unlock()
	if got.Answers["200"] == 0 || got.Answers["429"] == 0 || got.Answered() < 96 || len(from) != 2 {
		t.Errorf("tally is %+v from %v, want both answers from both addresses", got, from)
	}
}

func TestOnceIsOnce(t *testing.T) {
	var mu sync.Mutex
	bodies := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		bodies[string(body)]++
	}))
	defer server.Close()
	p := Plan{Kind: Ask, Target: server.Listener.Addr().String(), From: loopback, Connections: 3, Once: true}
	for n := range 9 {
		p.Wires = append(p.Wires, fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%d", n))
	}
	got, err := Run(t.Context(), p)
	if err != nil || got.Answers["200"] != 9 || len(bodies) != 9 {
		t.Errorf("tally is %+v, %v, bodies are %v; want each of 9 once", got, err, bodies)
	}
}

// listen serves connections one by one with do, which need not close them.
func listen(t *testing.T, do func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				do(c)
			}()
		}
	}()
	return l.Addr().String()
}

func TestHoldComesAgain(t *testing.T) {
	enough, seen := countdown(20)
	var n int
	var mu sync.Mutex
	target := listen(t, func(c net.Conn) {
		line, _ := bufio.NewReader(c).ReadString('\n')
		mu.Lock()
		n++
		answer := n%2 == 0
		mu.Unlock()
		if answer && line == "half a header\n" {
			_, _ = io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\n\r\n")
		}
		seen()
	})
	got := untilSeen(t, Plan{Kind: Hold, Target: target, From: loopback, Connections: 2, Wires: [][]byte{[]byte("half a header\n")}}, enough)
	if got.Answers["408"] == 0 || got.Cut == 0 || got.Opened < 20 {
		t.Errorf("tally is %+v, want answers, cuts and at least 20 connections", got)
	}
}

// TestLingerStays: the connection is still there after its answer, until the server ends it.
func TestLingerStays(t *testing.T) {
	enough, seen := countdown(3)
	target := listen(t, func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
		_ = r.Body.Close()
		seen()
	})
	got := untilSeen(t, Plan{Kind: Linger, Target: target, From: loopback, Connections: 1, Wires: [][]byte{[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")}}, enough)
	if got.Answers["401"] < 2 || got.Opened < 3 {
		t.Errorf("tally is %+v, want a connection after each that was ended", got)
	}
}

func TestDeafGoesOn(t *testing.T) {
	enough, seen := countdown(1)
	target := listen(t, func(c net.Conn) {
		requests := bufio.NewReader(c)
		for range 40 {
			if _, err := http.ReadRequest(requests); err != nil {
				return
			}
		}
		seen()
	})
	untilSeen(t, Plan{Kind: Deaf, Target: target, From: loopback, Connections: 1, Wires: [][]byte{[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")}}, enough)
}

func TestTrickleSendsMore(t *testing.T) {
	enough, seen := countdown(1)
	target := listen(t, func(c net.Conn) {
		_, _ = io.CopyN(io.Discard, c, int64(len("head"))+2*trickleBytes)
		seen()
	})
	untilSeen(t, Plan{Kind: Trickle, Target: target, From: loopback, Connections: 1, Wires: [][]byte{[]byte("head")}}, enough)
}

func TestHandshakes(t *testing.T) {
	for _, kind := range []Kind{Handshake, HalfHello} {
		enough, seen := countdown(10)
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateClosed {
				seen()
			}
		}
		server.StartTLS()
		got := untilSeen(t, Plan{Kind: kind, Target: server.Listener.Addr().String(), From: loopback, Connections: 2}, enough)
		server.Close()
		if got.Shaken == 0 {
			t.Errorf("%s: tally is %+v, want the server's part in handshakes", kind, got)
		}
	}
}

func TestMainWaitsForItsStart(t *testing.T) {
	enough, seen := countdown(1)
	target := listen(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1)) // what it sends, it sends after it was counted
		seen()
	})
	plan, err := json.Marshal(Plan{Kind: Hold, Target: target, From: loopback, Connections: 1, Wires: [][]byte{[]byte("x")}})
	if err != nil {
		t.Fatal(err)
	}
	in, tell := io.Pipe()
	said, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := Main(t.Context(), in, out)
		_ = out.CloseWithError(err)
		ended <- err
	}()
	lines := bufio.NewReader(said)
	_, _ = tell.Write(append(plan, '\n'))
	if line, err := lines.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("said %q, %v", line, err)
	}
	select {
	case <-enough:
		t.Fatal("it began before it was told to")
	default:
	}
	_, _ = io.WriteString(tell, "go\n")
	<-enough
	_ = tell.Close()
	var got Tally
	if err := json.NewDecoder(lines).Decode(&got); err != nil || got.Opened == 0 {
		t.Errorf("tally is %+v, %v", got, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestPlansThatCannotBe(t *testing.T) {
	for name, in := range map[string]string{
		"no plan":         "",
		"no JSON":         "plan\n",
		"no start":        "{}\n",
		"no kind":         `{"From":["127.0.0.1"],"Wires":["eA=="]}` + "\ngo\n",
		"nothing to send": `{"Kind":"hold","From":["127.0.0.1"]}` + "\ngo\n",
	} {
		var out bytes.Buffer
		if err := Main(t.Context(), strings.NewReader(in), &out); err == nil {
			t.Errorf("%s: no error, said %q", name, out.String())
		}
	}
}

// TestSleep: an attacker that was thrown out comes again when it is time, and not after the end.
func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		sleep(t.Context(), 5*time.Second)
		if waited := time.Since(start); waited != 5*time.Second {
			t.Errorf("it waited %s, want 5s", waited)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		sleep(ended, time.Hour)
		if waited := time.Since(start); waited != 5*time.Second {
			t.Errorf("it waited %s beyond the end", waited-5*time.Second)
		}
	})
}
