package embedded

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestOtherProtocolsDoNoHarm: whatever connects, the connection is closed and
// the broker lives.
func TestOtherProtocolsDoNoHarm(t *testing.T) {
	addr := start(t, t.TempDir()).Brokers()[0]
	for name, sent := range map[string]string{
		"a browser":      "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"TLS":            "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"unknown key":    "\x00\x00\x00\x0a\x7f\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"too short":      "\x00\x00\x00\x02\x00\x12",
		"negative":       "\xff\xff\xff\xff\x00\x12",
		"cut-off header": "\x00\x00\x00\x0a\x00",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write([]byte(sent)); err != nil {
				t.Fatal(err)
			}
			conn.(*net.TCPConn).CloseWrite()
			conn.SetReadDeadline(time.Now().Add(patience))
			if n, err := io.Copy(io.Discard, conn); n != 0 {
				t.Errorf("%d bytes came back, %v; expected the end of the connection", n, err)
			}
		})
	}
	metadata(t, newClient(t, addr), "in")
}

// FuzzFollow splits a stream of frames at any point: the guard must come to the
// same judgement as over the whole, and never panic.
func FuzzFollow(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00\x03"), 5)
	f.Add([]byte("GET / HTTP/1.1"), 1)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, stream []byte, at int) {
		at = min(max(at, 0), len(stream))
		var whole, parts guardedConn
		want := whole.follow(stream)
		got := parts.follow(stream[:at])
		if got == nil {
			got = parts.follow(stream[at:])
		}
		if (want == nil) != (got == nil) || want == nil && (whole.got != parts.got || whole.left != parts.left) {
			t.Errorf("whole: %v, %d, %d; split at %d: %v, %d, %d", want, whole.got, whole.left, at, got, parts.got, parts.left)
		}
	})
}
