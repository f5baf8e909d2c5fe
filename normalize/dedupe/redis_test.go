package dedupe

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/kycbridge/kycbridge/internal/freeport"
	"github.com/kycbridge/kycbridge/internal/redistest"
)

// server is a redis-server of this test's own.
type server struct {
	addr    string
	process *os.Process
}

// startRedis starts the real thing on a free port, or skips.
func startRedis(t testing.TB, args ...string) *server {
	t.Helper()
	addr, process := redistest.Start(t, args...)
	return &server{addr, process}
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

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func key(n byte) Key { return Key{n} }

func pending(offset int64) Claim {
	return Claim{State: Pending, Offset: offset, Hash: [HashSize]byte{7}}
}
