package ingest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestBodyLimit(t *testing.T) {
	const limit = 100_000 // not a power of two: buffers do not end there by chance
	log := ackAll()
	o := testOptions(t, log)
	o.Endpoints[0].MaxBody = limit
	server := serveTCP(t, newServer(t, o))
	for _, size := range []int{0, 1, firstUnknownBuffer, firstBuffer, limit - 1, limit, limit + 1, 50 * limit} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d chunked=%t", size, chunked), func(t *testing.T) {
				body := strings.Repeat("ab\xff\r\n", size/5+1)[:size]
				r := signed(t, "one", "old", body)
				var source io.Reader = strings.NewReader(body)
				if chunked {
					source = io.MultiReader(source) // hides the length
				}
				request, err := http.NewRequest(http.MethodPost, server.URL+r.URL.Path, source)
				if err != nil {
					t.Fatal(err)
				}
				request.Header = r.Header
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				if size > limit {
					if response.StatusCode != 413 {
						t.Errorf("answered %d, want 413", response.StatusCode)
					}
					return
				}
				if response.StatusCode != 200 {
					t.Fatalf("answered %d, want 200", response.StatusCode)
				}
				if chunked != response.Close && size > 0 {
					t.Errorf("connection closed: %t, want exactly after a chunked request", response.Close)
				}
				all := log.all()
				if got := all[len(all)-1].envelope.GetBody(); string(got) != body {
					t.Errorf("stored %d bytes that differ from the %d sent", len(got), len(body))
				}
			})
		}
	}
}

// A length that is not true stores nothing.
func TestLyingContentLength(t *testing.T) {
	for _, tc := range []struct {
		name      string
		announced int
		want      int
	}{
		{"less than sent", len(testBody) - 1, 401},
		{"more than sent", len(testBody) + 1, 503},
		{"far more than sent", DefaultMaxBody, 503},
		{"over the limit", DefaultMaxBody + 1, 413},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log := ackAll()
			s := newServer(t, testOptions(t, log))
			server := serveTCP(t, s)
			c, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			request := bytes.Replace(wire(t, "one", "old", testBody, false),
				fmt.Appendf(nil, "Content-Length: %d", len(testBody)), fmt.Appendf(nil, "Content-Length: %d", tc.announced), 1)
			if _, err := c.Write(request); err != nil {
				t.Fatal(err)
			}
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(c)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(answer, fmt.Appendf(nil, "HTTP/1.1 %d ", tc.want)) {
				t.Errorf("answered %.40q, want %d", answer, tc.want)
			}
			if n := len(log.all()); n != 0 {
				t.Errorf("%d appends, want none", n)
			}
			if n := s.gate.bytes.Load(); n != 0 {
				t.Errorf("%d bytes still counted, want none", n)
			}
		})
	}
}

// The same lies told to the handler itself, which must not lean on net/http.
func TestLyingContentLengthToHandler(t *testing.T) {
	for _, announced := range []int64{0, 1, int64(len(testBody)) - 1, int64(len(testBody)) + 1} {
		log := ackAll()
		s := newServer(t, testOptions(t, log))
		r := signed(t, "one", "old", testBody)
		r.ContentLength = announced
		if w := serve(s, r); w.Code != 503 || len(log.all()) != 0 || s.gate.bytes.Load() != 0 {
			t.Errorf("announced %d of %d bytes: answered %d, %d appends, %d bytes counted; want 503 and none", announced, len(testBody), w.Code, len(log.all()), s.gate.bytes.Load())
		}
	}
}

// A body that does not keep to the least rate is given up, long before its answer is due.
func TestSlowBody(t *testing.T) {
	for _, chunked := range []bool{false, true} {
		t.Run(fmt.Sprintf("chunked=%t", chunked), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := ackAll()
				s := newServer(t, testOptions(t, log))
				l, stop := run(t, s)
				request := wire(t, "one", "old", testBody, chunked)
				got := exchange(l, request[:len(request)-10])
				if got.status != 503 || got.after < bodyStart || got.after > bodyStart+time.Second/10 || got.header.Get("Retry-After") == "" {
					t.Errorf("answered %+v, want 503 with Retry-After about %s after the start", got, bodyStart)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
				if n := int64(len(log.all())) + s.gate.bytes.Load() + s.gate.requests.Load(); n != 0 {
					t.Errorf("%d appends, bytes or requests left, want none", n)
				}
			})
		})
	}
}

// A header that never ends is cut off, and so is a connection that stays idle.
func TestSlowloris(t *testing.T) {
	for _, tc := range []struct {
		name, sent string
		want       time.Duration
	}{
		{"nothing", "", DefaultReadHeaderTimeout},
		{"half a request line", "POST /hooks/o", DefaultReadHeaderTimeout},
		{"half a header", "POST /hooks/one HTTP/1.1\r\nHost: x\r\nX-A: b", DefaultReadHeaderTimeout},
		{"idle after a request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", DefaultIdleTimeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, stop := run(t, newServer(t, testOptions(t, ackAll())))
				c, err := l.dial()
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				go func() { _, _ = io.WriteString(c, tc.sent) }()
				if _, err := io.ReadAll(c); err != nil {
					t.Error(err)
				}
				if open := time.Since(start); open != tc.want {
					t.Errorf("connection was open for %s, want %s", open, tc.want)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Two hundred big bodies at a time, with a log that keeps silent: what is held
// stays under the limit, and who finds no room is turned away at once.
func TestParallelBodiesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, room, senders = 512 << 10, 8 << 20, 200
		log := withhold()
		o := testOptions(t, log)
		o.MaxWaitingBytes, o.MaxUnprovedBytes = room, 1<<30
		s := newServer(t, o)
		body := strings.Repeat("a", size)
		answers := make(chan int, senders)
		for range senders {
			r := signed(t, "one", "old", body)
			go func() { answers <- serve(s, r).Code }()
		}
		synctest.Wait()
		taken := len(log.all())
		if held := s.gate.bytes.Load(); taken == 0 || taken*size > room || held > room {
			t.Errorf("%d bodies taken, %d bytes counted, room for %d", taken, held, room)
		}
		if len(answers) != senders-taken {
			t.Errorf("%d answered at once, want the %d that found no room", len(answers), senders-taken)
		}
		for range taken {
			(<-log.came).done(nil)
		}
		counts := map[int]int{}
		for range senders {
			counts[<-answers]++
		}
		if counts[200] != taken || counts[503] != senders-taken {
			t.Errorf("answers by status %v, want %d times 200 and else 503", counts, taken)
		}
		if n := s.gate.bytes.Load(); n != 0 {
			t.Errorf("%d bytes still counted, want none", n)
		}
	})
}

// A second request hidden behind the end of a chunked one is never served.
func TestNoSmuggling(t *testing.T) {
	log := ackAll()
	server := serveTCP(t, newServer(t, testOptions(t, log)))
	chunked := wire(t, "one", "old", testBody, true)
	both := bytes.Replace(chunked, []byte("Transfer-Encoding:"), []byte("Content-Length: 4\r\nTransfer-Encoding:"), 1)
	for name, request := range map[string][]byte{"chunked": chunked, "with length": both} {
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		before := len(log.all())
		if _, err := c.Write(append(slices.Clip(request), wire(t, "one", "old", testBody, false)...)); err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(c) // a reset after the answer is as good as an end
		_ = c.Close()
		if n := bytes.Count(answer, []byte("HTTP/1.1 ")); n > 1 || len(log.all())-before > 1 {
			t.Errorf("%s: %d answers and %d appends, want at most one", name, n, len(log.all())-before)
		}
	}
}

// A header over its limit is refused before anything looks at it.
func TestHeaderLimit(t *testing.T) {
	server := serveTCP(t, newServer(t, testOptions(t, ackAll())))
	for size, want := range map[int]int{DefaultMaxHeaderBytes / 2: 200, 2 * DefaultMaxHeaderBytes: 431} {
		r, err := http.NewRequest(http.MethodPost, server.URL+"/hooks/one", strings.NewReader(testBody))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = signed(t, "one", "old", testBody).Header
		r.Header.Set("X-Big", strings.Repeat("a", size))
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("a header of %d bytes is answered %d, want %d", size, response.StatusCode, want)
		}
	}
}

func TestGate(t *testing.T) {
	g := gate{maxRequests: 1, maxBytes: 10}
	if !g.enter() || g.enter() {
		t.Error("a gate for one must let in exactly one")
	}
	g.leave()
	if !g.enter() {
		t.Error("a place given back must be free")
	}
	if !g.hold(10) || g.hold(1) {
		t.Error("a gate for ten bytes must hold exactly ten")
	}
	g.release(1)
	if !g.hold(1) || g.hold(1) {
		t.Error("a byte given back must be free, once")
	}
}
