package normalizetest

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/redistest"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// StartRedis starts a redis-server of this test's own; see redistest.Start.
func StartRedis(t testing.TB, args ...string) string {
	t.Helper()
	addr, _ := redistest.Start(t, args...)
	return addr
}

// Tell sends a server one command in words and ends the test unless it says +OK.
func Tell(t testing.TB, addr, command string) {
	t.Helper()
	conn := Must(net.Dial("tcp", addr))(t)
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		t.Fatal(err)
	}
	answer := Must(bufio.NewReader(conn).ReadString('\n'))(t)
	if strings.TrimSpace(answer) != "+OK" {
		t.Fatalf("redis answers %q to %q, expected +OK", strings.TrimSpace(answer), command)
	}
}

// StoreAt is a client of a server, patient since the machine may be slow.
func StoreAt(t testing.TB, addr string) *dedupe.Store {
	t.Helper()
	s := Must(dedupe.NewStore(dedupe.StoreOptions{
		Addresses: []string{addr}, TTL: time.Hour, EvictionChecked: true,
		ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, CallLimit: 10 * time.Second,
	}))(t)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Info gives a section of what a server says about itself.
func Info(t testing.TB, addr, section string) string {
	t.Helper()
	conn := Must(net.Dial("tcp", addr))(t)
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("INFO " + section + "\r\nQUIT\r\n")); err != nil {
		t.Fatal(err)
	}
	return string(Must(io.ReadAll(conn))(t))
}

// Shutdown ends a server.
func Shutdown(t testing.TB, addr string) {
	t.Helper()
	conn := Must(net.Dial("tcp", addr))(t)
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("SHUTDOWN NOSAVE\r\n")); err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(conn) // it hangs up instead of answering
}
