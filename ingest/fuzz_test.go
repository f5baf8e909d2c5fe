package ingest

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// FuzzHandler: whatever comes, the answer is from the table, and a success code
// means exactly one append of exactly those bytes, provable by a real secret.
func FuzzHandler(f *testing.F) {
	f.Add("POST", "/hooks/one", []byte(testBody), "X-Test-Kind", "a", int64(0), true)
	f.Add("POST", "/hooks/one", []byte(nil), "Content-Encoding", "gzip", int64(0), true)
	f.Add("POST", "/hooks/none", []byte(testBody), "Content-Type", "text/plain", int64(0), true)
	f.Add("GET", "//hooks/../one", []byte("\xff"), testHeader, "00", int64(-1), false)
	f.Add("POST", "/hooks/one", bytes.Repeat([]byte("a"), 4097), "Content-Type", ";;;\xff", int64(5), true)
	f.Fuzz(func(t *testing.T, method, path string, body []byte, name, value string, lie int64, prove bool) {
		log := ackAll()
		o := testOptions(t, log)
		o.Endpoints[0].MaxBody = 4096
		s := newServer(t, o)
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Method, r.URL = method, &url.URL{Path: path}
		r.ContentLength = max(r.ContentLength+lie, -1)
		if prove {
			signInto(t, "old", body, r.Header)
		}
		r.Header[http.CanonicalHeaderKey(name)] = append(r.Header[http.CanonicalHeaderKey(name)], value)
		w := serve(s, r)
		records := log.all()
		if (w.Code == 200) != (len(records) == 1) || len(records) > 1 {
			t.Fatalf("answered %d with %d appends", w.Code, len(records))
		}
		if s.gate.requests.Load() != 0 || s.gate.bytes.Load() != 0 {
			t.Fatalf("%d requests and %d bytes left in the gate", s.gate.requests.Load(), s.gate.bytes.Load())
		}
		if w.Code != 200 {
			return
		}
		if !prove && name != testHeader || method != "POST" || path != "/hooks/one" || len(body) > 4096 {
			t.Fatalf("%s %s with %d bytes, proved %t, was let in", method, path, len(body), prove)
		}
		if !bytes.Equal(records[0].envelope.GetBody(), body) {
			t.Fatal("the stored body differs from the one sent")
		}
		if _, err := proto.Marshal(records[0].envelope); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzRequest: whatever comes over a connection, from the first byte of a request line on, the raw log gets only
// what was proved, once for each success, and every answer is of HTTP.
func FuzzRequest(f *testing.F) {
	good := string(wire(f, "one", "old", testBody, false))
	for name, framing := range framings {
		f.Add([]byte(framing.bytes(f, name) + good))
	}
	f.Add([]byte("GET /hooks/one HTTP/1.1\r\nHost: x\r\n\r\n" + good))
	f.Add([]byte("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n" + good))
	f.Add([]byte("POST http://x/hooks/one/%2e%2e?a#b HTTP/1.0\r\nX-Forwarded-For: [::1%25a]:1,\r\n\r\n"))
	validator, err := protovalidate.New(protovalidate.WithMessages(&kycv1.RawEnvelope{}))
	if err != nil {
		f.Fatal(err)
	}
	log := ackAll()
	s := newServer(f, testTwoFactors(f, log))
	l := listenPipe()
	server := s.httpServer()
	ended := make(chan struct{})
	go func() {
		_ = server.Serve(streams{Listener: s.door(l)})
		close(ended)
	}()
	f.Cleanup(func() { _ = server.Close(); <-ended })
	var from uint32
	f.Fuzz(func(t *testing.T, sent []byte) {
		from += 1 << 8 // each from a network of its own, so that no failure of one makes another wait
		c := &script{in: bytes.NewReader(sent), from: from, over: make(chan struct{})}
		l.conns <- c
		<-c.over
		records := log.take()
		answers := regexp.MustCompile(`(?m)^HTTP/1\.[01] (\d{3}) `).FindAllSubmatch(c.out.Bytes(), -1)
		success := 0
		for _, a := range answers {
			if a[1][0] == '3' {
				t.Errorf("answered %s, a redirect", a[1])
			}
			if a[1][0] == '2' {
				success++
			}
		}
		if len(answers) == 0 && c.out.Len() > 0 {
			t.Errorf("answered %q", c.out.Bytes())
		}
		if success != len(records) {
			t.Errorf("%d success codes for %d records", success, len(records))
		}
		for _, r := range records {
			if body := r.envelope.GetBody(); r.envelope.GetSecretId() != "in-the-address" && string(body) != testBody {
				t.Errorf("the raw log has %q, which nobody signed", body)
			}
			if err := validator.Validate(r.envelope); err != nil {
				t.Error(err)
			}
		}
		if used, bytes := s.gate.requests.Load(), s.gate.bytes.Load(); used != 0 || bytes != 0 {
			t.Errorf("%d requests and %d bytes are left in the gate", used, bytes)
		}
	})
}

// A script is a connection that says what it has to, ends, and keeps what it is answered.
type script struct {
	net.Conn // none: every method that is called is below
	in       *bytes.Reader
	from     uint32
	over     chan struct{}
	once     sync.Once

	mu  sync.Mutex
	out bytes.Buffer
}

func (c *script) Read(b []byte) (int, error) { return c.in.Read(b) }

func (c *script) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(b)
}

func (c *script) Close() error {
	c.once.Do(func() { close(c.over) })
	return nil
}

func (c *script) LocalAddr() net.Addr { return pipeAddr{} }

func (c *script) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: binary.BigEndian.AppendUint32(nil, c.from), Port: 1}
}

func (c *script) SetDeadline(time.Time) error      { return nil }
func (c *script) SetReadDeadline(time.Time) error  { return nil }
func (c *script) SetWriteDeadline(time.Time) error { return nil }

// FuzzDirectory: a path leads to an endpoint when it is exactly its own, and otherwise to a decoy, the same one
// each time; what has no prefix leads nowhere.
func FuzzDirectory(f *testing.F) {
	for _, path := range []string{"/hooks/one", "/hooks/one/", "/hooks/one/x", "/hooks/addressed/" + testToken, "/hooks/", "/hooks/../hooks/one", "/hooks/one%2f", "", "/hooks/\xff", "/HOOKS/one"} {
		f.Add(path)
	}
	d := newServer(f, testTwoFactors(f, ackAll())).directory
	f.Fuzz(func(t *testing.T, path string) {
		e, token, ok := d.find(path)
		again, tokenAgain, okAgain := d.find(path)
		if e != again || token != tokenAgain || ok != okAgain {
			t.Fatalf("%q leads to two places", path)
		}
		if ok != strings.HasPrefix(path, hooksPrefix) {
			t.Fatalf("%q: found is %t", path, ok)
		}
		if !ok || e.isDecoy() {
			return
		}
		own := hooksPrefix + e.Name
		if path != own && path != own+"/" && (path != own+"/"+token || !e.pathToken) {
			t.Errorf("%q leads to %s", path, e.Name)
		}
	})
}
