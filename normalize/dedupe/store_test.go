package dedupe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

func TestExchangeClaimsOnlyWhatIsFree(t *testing.T) {
	onEach(t, func(t *testing.T, addr string) {
		s, ctx := patient(t, addr), testContext(t)
		claim := func(offset int64) *Claim {
			reply, err := s.Exchange(ctx, Round{Claims: []Mark{{Key: key(1), Claim: pending(offset)}}})
			if err != nil {
				t.Fatal(err)
			}
			return reply.Found[0]
		}
		if found := claim(5); found != nil {
			t.Errorf("a free key held %+v", found)
		}
		if found := claim(3); found == nil || *found != pending(5) {
			t.Errorf("the second claim found %+v, expected the first", found)
		}
		if found := claim(5); found == nil || *found != pending(5) {
			t.Errorf("the owner found %+v, expected itself", found)
		}
	})
}

func TestExchangeWritesMarksBeforeClaims(t *testing.T) {
	onEach(t, func(t *testing.T, addr string) {
		s, ctx := patient(t, addr), testContext(t)
		reply, err := s.Exchange(ctx, Round{
			Marks:  []Mark{{Key: key(1), Claim: pending(5).Done()}},
			Moves:  []Move{{"kyc:d:s:x", []string{""}, "1"}, {"kyc:d:s:y", []string{"0"}, "1"}},
			Claims: []Mark{{Key: key(1), Claim: pending(6)}},
			Reads:  []string{"kyc:d:s:x", "kyc:d:s:y"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if f := reply.Found[0]; f == nil || *f != pending(5).Done() {
			t.Errorf("the claim found %+v, expected the mark of the same round", f)
		}
		if got := fmt.Sprintf("%q %q", reply.Before, reply.Seen); got != `[[""] [""]] [["1"] [""]]` {
			t.Errorf("moves found and reads saw %s; the first watermark moves, the second was expected to be 0 and is not", got)
		}
	})
}

func TestLowerTakesOverOnlyTheExpectedClaim(t *testing.T) {
	onEach(t, func(t *testing.T, addr string) {
		s, ctx := patient(t, addr), testContext(t)
		if _, err := s.Exchange(ctx, Round{Marks: []Mark{{Key: key(1), Claim: pending(9)}, {Key: key(2), Claim: pending(9).Done()}}}); err != nil {
			t.Fatal(err)
		}
		var expected, next []Mark
		for n := range byte(3) {
			expected = append(expected, Mark{Key: key(n + 1), Claim: pending(9)})
			next = append(next, Mark{Key: key(n + 1), Claim: pending(4)})
		}
		found, err := s.TakeOver(ctx, expected, next)
		if err != nil {
			t.Fatal(err)
		}
		if *found[0] != pending(9) || *found[1] != pending(9).Done() || found[2] != nil {
			t.Errorf("found %v, expected the claim, the mark that came meanwhile, and nothing", found)
		}
		now, err := s.Peek(ctx, []Key{key(1), key(2), key(3)})
		if err != nil {
			t.Fatal(err)
		}
		if *now[0] != pending(4) || *now[1] != pending(9).Done() || now[2] != nil {
			t.Errorf("now there is %v, expected only the first to be taken over", now)
		}
	})
}

func TestForeignValueIsAnErrorAndNoAbsence(t *testing.T) {
	m := miniredis.RunT(t)
	s := patient(t, m.Addr())
	m.Set(s.claimKey(key(1)), "true")
	if _, err := s.Exchange(testContext(t), Round{Claims: []Mark{{Key: key(1), Claim: pending(1)}}}); err == nil {
		t.Error("a foreign value was taken for something else, expected an error")
	}
}

// cutter is a proxy that, when armed, delivers a request to the server, waits for its answer, and
// cuts the connection instead of passing it on.
type cutter struct {
	net.Listener
	armed atomic.Bool
	cuts  atomic.Int32
}

func startCutter(t *testing.T, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn, to)
		}
	}()
	return c
}

func (c *cutter) serve(client net.Conn, to string) {
	backend, err := net.Dial("tcp", to)
	if err != nil {
		_ = client.Close()
		return
	}
	go pipe(backend, client, func() bool { return true })
	pipe(client, backend, func() bool {
		if c.armed.CompareAndSwap(true, false) {
			c.cuts.Add(1)
			return false
		}
		return true
	})
}

func pipe(to, from net.Conn, pass func() bool) {
	defer func() { _ = to.Close(); _ = from.Close() }()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil || !pass() {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// The trap of a boolean SETNX: applied, answer lost, repeated by the client, "somebody has it".
func TestLostAnswerIsRecognisedAsOwn(t *testing.T) {
	onEach(t, func(t *testing.T, addr string) {
		proxy := startCutter(t, addr)
		s, ctx := patient(t, proxy.Addr().String()), testContext(t)
		if err := s.Check(ctx); err != nil {
			t.Fatal(err)
		}
		proxy.armed.Store(true)
		round := Round{
			Moves:  []Move{{"kyc:d:s:x", []string{""}, "1"}},
			Claims: []Mark{{Key: key(1), Claim: pending(5)}},
			Reads:  []string{"kyc:d:s:x"},
		}
		reply, err := s.Exchange(ctx, round)
		if err != nil {
			t.Fatalf("the one retry did not help: %v", err)
		}
		if proxy.cuts.Load() != 1 {
			t.Fatalf("%d answers were cut, expected 1: the test tests nothing", proxy.cuts.Load())
		}
		if got := Decide(pending(5), reply.Found[0]); got != Retry && got != Emit {
			t.Errorf("decided %v, expected that the record is emitted", got)
		}
		if !round.Moves[0].accepts(reply.Before[0]) || reply.Seen[0][0] != "1" {
			t.Errorf("watermark before %q, after %q", reply.Before[0], reply.Seen[0])
		}
	})
}

func TestFrozenRedisIsAwayAndComesBack(t *testing.T) {
	r := startRedis(t)
	s, err := NewStore(StoreOptions{Addresses: []string{r.addr}, TTL: 1 << 40, CallLimit: callLimit})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx := testContext(t)
	if err := r.process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// Every limit is the production one; a client that ignores them ends the test by its deadline.
	if _, err := s.Exchange(ctx, Round{Claims: []Mark{{Key: key(1), Claim: pending(1)}}}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a frozen server: %v, expected ErrUnavailable", err)
	}
	if err := s.Check(ctx); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a frozen server: %v, expected ErrUnavailable", err)
	}
	if err := r.process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for s.Check(ctx) != nil && ctx.Err() == nil {
	}
	if ctx.Err() != nil {
		t.Error("the server is back and was not found again")
	}
}

func TestFullRedisIsAway(t *testing.T) {
	r := startRedis(t, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
	s, ctx := patient(t, r.addr, func(o *StoreOptions) { o.EvictionChecked = false }), testContext(t)
	if err := s.Check(ctx); err != nil {
		t.Fatal(err)
	}
	var err error
	for n := 0; err == nil && n < 1000; n++ {
		round := Round{}
		for i := range 500 {
			round.Claims = append(round.Claims, Mark{Key: Key{byte(n), byte(n >> 8), byte(i), byte(i >> 8)}, Claim: pending(1)})
		}
		_, err = s.Exchange(ctx, round)
	}
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("claims into a full server: %v, expected ErrUnavailable with OOM", err)
	}
	small := startRedis(t, "--maxmemory", "100kb", "--maxmemory-policy", "noeviction") // full from the start
	if err := patient(t, small.addr).Check(ctx); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Check of a full server: %v, expected ErrUnavailable: a PING alone would say all is well", err)
	}
}

// TestCheckTriesWhatARoundDoes: a user who may write and run no scripts can claim nothing.
func TestCheckTriesWhatARoundDoes(t *testing.T) {
	r := startRedis(t)
	s := patient(t, r.addr)
	ctx := testContext(t)
	if err := s.client.Do(ctx, "ACL", "SETUSER", "default", "-eval").Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(ctx); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("without scripts: %v, expected ErrUnavailable with NOPERM", err)
	}
	if err := s.client.Do(ctx, "ACL", "SETUSER", "default", "+eval").Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(ctx); err != nil {
		t.Errorf("with them: %v", err)
	}
	if ttl := s.client.TTL(ctx, probeKey).Val(); ttl <= 0 {
		t.Errorf("the trial stays for %s, expected that it expires", ttl)
	}
}

// TestDocumentedUserMayDoEverything: the rights that docs/servers.md lists suffice for all this package asks.
func TestDocumentedUserMayDoEverything(t *testing.T) {
	text, err := os.ReadFile("../../docs/servers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "user kycbridge on >PASSWORD ")
	rights, _, _ := strings.Cut(after, "\n")
	if !ok {
		t.Fatal("docs/servers.md has no user kycbridge")
	}
	r, ctx := startRedis(t), testContext(t)
	say := []any{"ACL", "SETUSER", "kycbridge", "on", ">PASSWORD"}
	for _, right := range strings.Fields(rights) {
		say = append(say, right)
	}
	if err := patient(t, r.addr).client.Do(ctx, say...).Err(); err != nil {
		t.Fatal(err)
	}
	s := patient(t, r.addr, func(o *StoreOptions) {
		o.EvictionChecked, o.Username, o.Password = false, "kycbridge", func() string { return "PASSWORD" }
	})
	if err := s.Check(ctx); err != nil {
		t.Errorf("Check: %v", err)
	}
	w := watched(t, s, new(int64))
	if w.Look(ctx); w.Down() != nil {
		t.Errorf("Watch: %v", w.Down())
	}
	mark := Mark{Key: key(1), Claim: pending(1)}
	if _, err := s.Exchange(ctx, Round{Marks: []Mark{mark}, Claims: []Mark{mark}, Looks: []Key{mark.Key}, Reads: []string{keyPrefix + "s:0"}}); err != nil {
		t.Errorf("Exchange: %v", err)
	}
	if _, err := s.TakeOver(ctx, []Mark{mark}, []Mark{mark}); err != nil {
		t.Errorf("TakeOver: %v", err)
	}
	if _, err := s.Attempts(ctx, []string{keyPrefix + "a:1"}, []string{keyPrefix + "a:2"}); err != nil {
		t.Errorf("Attempts: %v", err)
	}
}

func TestEvictingRedisIsRefused(t *testing.T) {
	for _, policy := range []string{"allkeys-lru", "volatile-ttl"} {
		r := startRedis(t, "--maxmemory", "100mb", "--maxmemory-policy", policy)
		for _, vouched := range []bool{false, true} {
			s := patient(t, r.addr, func(o *StoreOptions) { o.EvictionChecked = vouched })
			if err := s.Check(testContext(t)); !errors.Is(err, ErrUnsuitable) || !strings.Contains(err.Error(), policy) {
				t.Errorf("policy %s, vouched for %t: %v, expected ErrUnsuitable that names it", policy, vouched, err)
			}
		}
	}
}

func TestUnreadablePolicyNeedsTheOperatorsWord(t *testing.T) {
	m := miniredis.RunT(t) // its INFO knows no memory section
	s := patient(t, m.Addr(), func(o *StoreOptions) { o.EvictionChecked = false })
	if err := s.Check(testContext(t)); !errors.Is(err, ErrUnsuitable) || !strings.Contains(err.Error(), "eviction_checked") {
		t.Errorf("%v, expected ErrUnsuitable that names the setting", err)
	}
	if err := patient(t, m.Addr()).Check(testContext(t)); err != nil {
		t.Errorf("vouched for: %v", err)
	}
}

func TestOldRedisIsRefused(t *testing.T) {
	for version, bad := range map[string]bool{"6.2.14": true, "7.0.0": false, "8.2.1": false, "10.0": false, "": false, "unknown": false} {
		if err := checkVersion(version); (err != nil) != bad {
			t.Errorf("version %q: %v", version, err)
		}
	}
}

func TestWrongPasswordIsAwayAndTellsNothing(t *testing.T) {
	m := miniredis.RunT(t)
	m.RequireAuth("right-password")
	s := patient(t, m.Addr(), func(o *StoreOptions) { o.Password = func() string { return "wrong-password" } })
	err := s.Check(testContext(t))
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v, expected ErrUnavailable", err)
	}
	if strings.Contains(fmt.Sprint(err), "wrong-password") {
		t.Errorf("the error quotes the password: %v", err)
	}
}

// TestPasswordIsAskedAnew: a connection that is made after the password was changed shows the new one.
func TestPasswordIsAskedAnew(t *testing.T) {
	m := miniredis.RunT(t)
	m.RequireAuth("old-password")
	now := "old-password"
	s := patient(t, m.Addr(), func(o *StoreOptions) { o.Password = func() string { return now } })
	if err := s.Check(testContext(t)); err != nil {
		t.Fatal(err)
	}
	m.Close()
	m.RequireAuth("new-password")
	now = "new-password"
	if err := m.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(testContext(t)); err != nil {
		t.Errorf("after the password was changed: %v", err)
	}
}

func TestNobodyListening(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	if err := patient(t, addr).Check(testContext(t)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v, expected ErrUnavailable", err)
	}
}

func TestCancelledCallIsNoDecision(t *testing.T) {
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	if _, err := patient(t, miniredis.RunT(t).Addr()).Peek(ctx, []Key{key(1)}); err == nil {
		t.Error("a cancelled call gave an answer")
	}
}

func TestStoreOptionsThatAreRefused(t *testing.T) {
	for name, o := range map[string]StoreOptions{
		"no address": {TTL: 1 << 40},
		"a cluster":  {Addresses: []string{"a:1", "b:1"}, TTL: 1 << 40},
		"no ttl":     {Addresses: []string{"a:1"}},
	} {
		if _, err := NewStore(o); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
