package embedded

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ask sends one command and returns the answer's lines.
func ask(t testing.TB, addr string, command ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(word), word)
	}
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var size int
	if n, _ := fmt.Sscanf(line, "$%d", &size); n == 0 || size < 0 {
		return strings.TrimSpace(line)
	}
	body := make([]byte, size)
	if _, err := r.Read(body); err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestRedisIsFitForClaims: it has what the deduplication asks of a Redis.
func TestRedisIsFitForClaims(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	addr := s.RedisAddr()
	for _, tc := range []struct{ command, want string }{
		{"INFO server", "redis_version:7.0.0"},
		{"info memory", "maxmemory_policy:noeviction"},
		{"INFO replication", "role:master"},
		{"INFO clients", "connected_clients"},
		{"SET claim one NX GET EX 100", "$-1"},
		{"SET claim two NX GET EX 100", "one"},
		{"GET claim", "one"},
		{"TTL claim", ":100"},
	} {
		if got := ask(t, addr, strings.Fields(tc.command)...); !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, expected %q", tc.command, got, tc.want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, start(t, dir).RedisAddr(), "GET", "claim"); got != "$-1" {
		t.Errorf("the claim of the last life is %q, expected none", got)
	}
}

func TestKeysAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		var passed time.Duration
		go age(ctx, func(d time.Duration) { passed += d })
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		if passed != time.Hour {
			t.Errorf("%s passed for the keys, expected an hour", passed)
		}
		cancel()
		synctest.Wait()
	})
}
