package dedupe

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/kycbridge/kycbridge/internal/freeport"
)

// server is a redis-server of this test's own.
type server struct {
	addr string
	cmd  *exec.Cmd
}

// startRedis starts the real thing on a free port, or skips.
func startRedis(t testing.TB, args ...string) *server {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("KYCBRIDGE_TEST_REQUIRE") == "1" {
			t.Fatal("redis-server is not on PATH and KYCBRIDGE_TEST_REQUIRE=1 asks for it")
		}
		t.Skip("redis-server is not on PATH (apt-get install redis-server)")
	}
	addr, port := freePort(t)
	cmd := exec.Command(binary, append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir()}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var said []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go func() {
				for lines.Scan() { // keep the pipe empty
				}
			}()
			return &server{addr: addr, cmd: cmd}
		}
	}
	t.Fatalf("redis-server ended before it was ready; it said:\n%s", strings.Join(said, "\n"))
	return nil
}

func freePort(t testing.TB) (addr, port string) {
	t.Helper()
	addr, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(addr)
	return addr, port
}

// patient is a store whose limits a slow machine does not reach.
func patient(t testing.TB, addr string, change ...func(*StoreOptions)) *Store {
	t.Helper()
	o := StoreOptions{
		Addresses: []string{addr}, TTL: time.Hour, EvictionChecked: true,
		ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, CallLimit: 30 * time.Second,
	}
	for _, f := range change {
		f(&o)
	}
	s, err := NewStore(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// onEach runs a test against the Redis of this process and against the real one.
func onEach(t *testing.T, test func(t *testing.T, addr string)) {
	t.Run("miniredis", func(t *testing.T) { test(t, miniredis.RunT(t).Addr()) })
	t.Run("redis", func(t *testing.T) { test(t, startRedis(t).addr) })
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func key(n byte) Key { return Key{n} }

func pending(offset int64) Claim {
	return Claim{State: Pending, Offset: offset, Hash: [HashSize]byte{7}}
}
