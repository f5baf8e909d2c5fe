package ingest

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A framing is the part of a head that says where its body ends.
type framing struct {
	head    string
	chunked bool
}

// framings are heads whose end, or whose body's end, two readers may see in two places. "{length}" stands for the
// length of the body and "{proof}" for the header with its proof. What follows the head is the body, whole or as one
// chunk, and a second request.
var framings = map[string]framing{
	"chunked":                         {"Transfer-Encoding: chunked\r\n{proof}", true},
	"length, then chunked":            {"Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n{proof}", true},
	"chunked, then length":            {"Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n{proof}", true},
	"chunked, length is that of less": {"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n{proof}", true},
	"another coding":                  {"Content-Length: {length}\r\nTransfer-Encoding: xchunked\r\n{proof}", false},
	"identity":                        {"Content-Length: {length}\r\nTransfer-Encoding: identity\r\n{proof}", false},
	"chunked, identity":               {"Content-Length: {length}\r\nTransfer-Encoding: chunked, identity\r\n{proof}", true},
	"identity, chunked":               {"Content-Length: {length}\r\nTransfer-Encoding: identity, chunked\r\n{proof}", true},
	"chunked with a parameter":        {"Content-Length: {length}\r\nTransfer-Encoding: chunked;a=b\r\n{proof}", true},
	"chunked twice":                   {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n{proof}", true},
	"two codings":                     {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n{proof}", true},
	"quoted":                          {"Content-Length: {length}\r\nTransfer-Encoding: \"chunked\"\r\n{proof}", true},
	"a tab before the coding":         {"Content-Length: {length}\r\nTransfer-Encoding:\tchunked\r\n{proof}", true},
	"a vertical tab before it":        {"Content-Length: {length}\r\nTransfer-Encoding: \x0bchunked\r\n{proof}", true},
	"no coding":                       {"Content-Length: {length}\r\nTransfer-Encoding:\r\n{proof}", false},
	"upper case":                      {"Content-Length: {length}\r\nTRANSFER-ENCODING: CHUNKED\r\n{proof}", true},
	"a space before the colon":        {"Content-Length: {length}\r\nTransfer-Encoding : chunked\r\n{proof}", true},
	"a space before the name":         {"Content-Length: {length}\r\n Transfer-Encoding: chunked\r\n{proof}", false},
	"a folded coding":                 {"Content-Length: {length}\r\nTransfer-Encoding:\r\n chunked\r\n{proof}", true},
	"a coding folded away":            {"Content-Length: {length}\r\nX-A: b\r\n\tTransfer-Encoding: chunked\r\n{proof}", false},
	"a folded length":                 {"Content-Length:\r\n {length}\r\n{proof}", false},
	"a length folded away":            {"Content-Length: {length}\r\nX-A: b\r\n Content-Length: 0\r\n{proof}", false},
	"a bare LF before the coding":     {"Content-Length: {length}\r\nX-A: b\nTransfer-Encoding: chunked\r\n{proof}", true},
	"a bare LF before the length":     {"X-A: b\nContent-Length: {length}\r\n{proof}", false},
	"a bare CR in a value":            {"X-A: b\rContent-Length: 0\r\nContent-Length: {length}\r\n{proof}", false},
	"a bare LF at the end":            {"Content-Length: {length}\r\n{proof}X-A: b\n", false},
	"two lengths":                     {"Content-Length: {length}\r\nContent-Length: 0\r\n{proof}", false},
	"two equal lengths":               {"Content-Length: {length}\r\nContent-Length: {length}\r\n{proof}", false},
	"a list of lengths":               {"Content-Length: {length}, {length}\r\n{proof}", false},
	"a length with a sign":            {"Content-Length: +{length}\r\n{proof}", false},
	"a length below zero":             {"Content-Length: -{length}\r\n{proof}", false},
	"a length in hex":                 {"Content-Length: 0x2d\r\n{proof}", false},
	"a length with an underscore":     {"Content-Length: 4_{length}\r\n{proof}", false},
	"a length with more behind it":    {"Content-Length: {length} 0\r\n{proof}", false},
	"an empty length":                 {"Content-Length: \r\n{proof}", false},
	"a huge length":                   {"Content-Length: 99999999999999999999\r\n{proof}", false},
	"no length":                       {"{proof}", false},
	"no length and no body":           {"{proof}", false},
	"HTTP/1.0 with chunks":            {"Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n{proof}", true},
	"a wish to upgrade":               {"Content-Length: {length}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{proof}", false},
	"a wish for HTTP/2":               {"Content-Length: {length}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n{proof}", false},
}

// TestASecondRequestIsNeverServed: whatever the first request's framing, what stands behind its end is not read as
// another one, and the connection is closed, whether more has come already or not.
func TestASecondRequestIsNeverServed(t *testing.T) {
	for where, dial := range servedRaw(t) {
		for name, f := range framings {
			for behind, second := range map[string]string{"nothing": "", "a request": hidden(t)} {
				t.Run(where+"/"+name+"/"+behind, func(t *testing.T) {
					c, log := dial(t)
					before := len(log.all())
					answer, err := talk(t, c, f.bytes(t, name)+second)
					if errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("the connection stays open after %q", answer)
					}
					if n := strings.Count(answer, "HTTP/1.1 "); n > 1 {
						t.Errorf("%d answers, want one at most: %q", n, answer)
					}
					for _, r := range log.all()[before:] {
						if string(r.envelope.GetBody()) != testBody {
							t.Errorf("the raw log has %q", r.envelope.GetBody())
						}
					}
				})
			}
		}
	}
}

// TestPlainRequestsShareAConnection: what there is nothing odd about may come again over the same connection, but
// not before it is answered.
func TestPlainRequestsShareAConnection(t *testing.T) {
	good := string(wire(t, "one", "old", "{\n \"id\":\r\n\t1\n}\n\ncontent-length: 1\n", false)) // a body may hold what a head may not
	for where, dial := range servedRaw(t) {
		c, log := dial(t)
		in := bufio.NewReader(c)
		for i := range 3 {
			if _, err := io.WriteString(c, good); err != nil {
				t.Fatal(err)
			}
			if got := readReply(in); got.err != nil || got.status != 200 || got.close {
				t.Fatalf("%s: request %d is answered %+v, want 200 and an open connection", where, i, got)
			}
		}
		before := len(log.all())
		answer, err := talk(t, c, good+good)
		if n := strings.Count(answer, "HTTP/1.1 200"); n != 1 || errors.Is(err, os.ErrDeadlineExceeded) || len(log.all())-before != 1 {
			t.Errorf("%s: two requests at once: %d answers, %d appends, %v; want one of each and the connection closed", where, n, len(log.all())-before, err)
		}
	}
}

// bytes is a signed request so framed. The name of a framing also says what is special about the rest of it.
func (f framing) bytes(t testing.TB, name string) string {
	proof := testHeader + ": " + signed(t, "one", "old", testBody).Header.Get(testHeader) + "\r\n"
	head, body := strings.ReplaceAll(f.head, "{proof}", proof), testBody
	head = strings.ReplaceAll(head, "{length}", strconv.Itoa(len(body)))
	switch {
	case strings.HasSuffix(name, "no body"):
		body = ""
	case f.chunked:
		body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	}
	version, _, ok := strings.Cut(name, " with")
	if !ok || !strings.HasPrefix(version, "HTTP/") {
		version = "HTTP/1.1"
	}
	return "POST /hooks/one " + version + "\r\nHost: x\r\nContent-Type: application/json\r\n" + head + "\r\n" + body
}

// hidden is a request that only a fault of framing could bring in.
func hidden(t *testing.T) string { return string(wire(t, "one", "new", `{"hidden":true}`, false)) }

// servedRaw serves on real ports as in production, in the clear and over TLS, and gives ways to connect.
func servedRaw(t *testing.T) map[string]func(*testing.T) (net.Conn, *heldLog) {
	files := writePair(t, t.TempDir(), 1, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	dials := map[string]func(*testing.T) (net.Conn, *heldLog){}
	for where, pair := range map[string]*TLS{"in the clear": nil, "over TLS": &files} {
		log := ackAll()
		o := testOptions(t, log)
		o.TLS, o.DrainDelay = pair, -1
		address := serveRaw(t, newServer(t, o))
		dials[where] = func(t *testing.T) (net.Conn, *heldLog) {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			if pair != nil {
				c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
			}
			t.Cleanup(func() { _ = c.Close() })
			return c, log
		}
	}
	return dials
}

// serveRaw serves on a real port until the test ends.
func serveRaw(t *testing.T, s *Server) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// talk sends and gives everything that comes back until the connection ends, or the error that it stays open.
func talk(t *testing.T, c net.Conn, request string) (string, error) {
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	return string(answer), err
}

// TestUnfinishedHandshakesAreCutOff: whoever stops in the middle of a handshake, or does not read what it is sent,
// is gone when a head should have been there.
func TestUnfinishedHandshakesAreCutOff(t *testing.T) {
	files := writePair(t, t.TempDir(), 1, time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC))
	hello := clientHello(t)
	for name, sent := range map[string][]byte{"nothing": nil, "half a hello": hello[:len(hello)/2], "a hello": hello} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := testOptions(t, ackAll())
				o.TLS = &files
				l, stop := run(t, newServer(t, o))
				c, err := l.dial()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := c.Write(sent); err != nil {
					t.Fatal(err)
				}
				time.Sleep(DefaultReadHeaderTimeout + time.Second) // reads nothing meanwhile
				if n, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
					t.Errorf("after %s the connection gives %d bytes, %v; want its end", DefaultReadHeaderTimeout, n, err)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// clientHello is the first message of a handshake.
func clientHello(t *testing.T) []byte {
	t.Helper()
	here, there := net.Pipe()
	go func() { _ = tls.Client(here, &tls.Config{ServerName: "127.0.0.1"}).Handshake() }()
	hello := make([]byte, 16<<10)
	n, err := there.Read(hello)
	_ = there.Close()
	if err != nil {
		t.Fatal(err)
	}
	return hello[:n]
}
