package ingest

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// A lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestOutageOverHorizon: the gauge rises when deliveries have been turned away
// for longer than the vendor retries, the log says it once, and the next
// accepted delivery ends it.
func TestOutageOverHorizon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const horizon = 17 * time.Minute
		var logged lockedBuffer
		answer := error(nil)
		log := &heldLog{}
		log.reply = func(done func(error)) { done(answer) }
		registry := prometheus.NewRegistry()
		o := testOptions(t, log)
		o.Endpoints[0].Provider.Ack.RetryFor = horizon
		o.Registerer, o.Logger = registry, slog.New(slog.NewTextHandler(&logged, nil))
		s := newServer(t, o)
		_, stop := run(t, s)
		expect := func(over float64, lines int) {
			t.Helper()
			time.Sleep(outageCheck)
			synctest.Wait()
			if got := gathered(t, registry)[`kycbridge_ingest_outage_over_horizon{endpoint="one"}`]; got != over {
				t.Errorf("the gauge is %v, want %v", got, over)
			}
			if n := strings.Count(logged.String(), "longer than the vendor retries"); n != lines {
				t.Errorf("%d lines, want %d:\n%s", n, lines, logged.String())
			}
		}
		for round := range 2 {
			answer = nil
			serve(s, signed(t, "one", "old", testBody))
			time.Sleep(2 * horizon) // nothing comes, and nothing is turned away
			expect(0, round)
			answer = errTest
			serve(s, signed(t, "one", "old", testBody))
			expect(0, round)
			time.Sleep(horizon - 2*outageCheck)
			serve(s, signed(t, "one", "old", testBody)) // the vendor's last attempt
			expect(0, round)
			time.Sleep(outageCheck)
			expect(1, round+1)
			time.Sleep(horizon)
			expect(1, round+1)
		}
		serve(s, signed(t, "one", "other", testBody)) // a stranger's 401 ends nothing
		expect(1, 2)
		answer = nil
		serve(s, signed(t, "one", "old", testBody))
		expect(0, 2)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// keysAway is a check that cannot judge while what it needs is away, and that
// nobody passes otherwise.
type keysAway struct {
	auth.Header
	away *atomic.Bool
}

func (k keysAway) Verify([]auth.Secret, auth.Request) (string, error) {
	if k.away.Load() {
		return "", auth.ErrUndecided
	}
	return "", auth.ErrMismatch
}

func (k keysAway) Traits() auth.Traits {
	t := k.Header.Traits()
	t.Ready = func() bool { return !k.away.Load() }
	return t
}

// TestOutageOfJudgement: a sender that cannot be judged may be a stranger. If it is
// not accepted once judging is possible again, it was one, and nothing is lost;
// that cannot be said if it takes longer than the vendor retries.
func TestOutageOfJudgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const horizon = 17 * time.Minute
		var away atomic.Bool
		registry := prometheus.NewRegistry()
		o := testOptions(t, &heldLog{})
		o.Endpoints[0].Provider.Ack.RetryFor = horizon
		o.Endpoints[0].Proofs = proofs(keysAway{away: &away}, testSecret(t, "old"))
		o.Registerer = registry
		s := newServer(t, o)
		_, stop := run(t, s)
		for _, tc := range []struct {
			away time.Duration
			over float64
		}{{time.Minute, 0}, {horizon + outageCheck, 1}} {
			away.Store(true)
			if w := serve(s, signed(t, "one", "other", testBody)); w.Code != 503 {
				t.Fatalf("the answer is %d, want 503", w.Code)
			}
			time.Sleep(tc.away)
			away.Store(false)
			time.Sleep(2 * horizon)
			synctest.Wait()
			if got := gathered(t, registry)[`kycbridge_ingest_outage_over_horizon{endpoint="one"}`]; got != tc.over {
				t.Errorf("keys were away for %s: the gauge is %v, want %v", tc.away, got, tc.over)
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// What a stranger can cause is no outage, and without a horizon there is none.
func TestOutageCounts(t *testing.T) {
	for o := range outcomes {
		var out outage
		out.horizon = time.Second
		out.saw(o, 1)
		if want := o == refused || o == unacked || o == overloaded || o == bodiesFull || o == overQuota || o == undecided; out.over(int64(time.Hour)) != want {
			t.Errorf("%s begins an outage: %v, want %v", o, !want, want)
		}
		out.horizon = 0
		if out.over(int64(time.Hour)) {
			t.Errorf("%s: an outage is over a horizon that is not known", o)
		}
	}
}
