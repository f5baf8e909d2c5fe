package hydrate

import (
	"testing"
	"time"
)

// start is when these gates are opened; their clock is an argument.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestFetchesUnderWayAreBounded(t *testing.T) {
	g := newGate(10000, 2)
	for n := range 2 * queued {
		if ok, why := g.admit(start); !ok {
			t.Fatalf("fetch %d waits: %s", n, why)
		}
	}
	if ok, why := g.admit(start); ok || why != waitTurn {
		t.Errorf("one more is admitted = %v, %q", ok, why)
	}
	g.settle(start, nil)
	if ok, why := g.admit(start); !ok {
		t.Errorf("one waits for the place that is free: %s", why)
	}
}

// An API that says when to come back is not asked before, whether the breaker is closed or opens.
func TestRetryAfterIsObeyed(t *testing.T) {
	const wish = 2 * breakerLast
	for label, opens := range map[string]bool{labelLimited: false, labelRefused: true} {
		g := newGate(10000, 1)
		g.admit(start)
		if opened := g.settle(start, &failure{label: label, after: wish}); opened != opens || g.open(start) != opens {
			t.Errorf("%s: the breaker opened = %v, and is open = %v, expected %v", label, opened, g.open(start), opens)
		}
		if ok, why := g.admit(start.Add(wish - 1)); ok || why != waitBreaker || g.room(start.Add(wish-1)) != 0 {
			t.Errorf("%s: admitted = %v too early (%s), or there is room for %d", label, ok, why, g.room(start.Add(wish-1)))
		}
		if ok, why := g.admit(start.Add(wish)); !ok || g.open(start.Add(wish)) {
			t.Errorf("%s: not admitted when it is time: %s", label, why)
		}
	}
}

// However often it fails, an API is tried twice a minute; and it must fail often again after it has answered.
func TestTheBreakerForgives(t *testing.T) {
	g, now, down := newGate(10000, 1), start, &failure{label: labelTimeout}
	for range 20 {
		if ok, why := g.admit(now); !ok {
			t.Fatalf("not admitted after a pause: %s", why)
		}
		g.settle(now, down)
		now = now.Add(breakerLast)
	}
	for range breakerFailures - 1 {
		g.admit(now)
		g.settle(now, nil)
		g.admit(now)
		if g.settle(now, down) {
			t.Fatal("the breaker opens for failures with an answer between")
		}
	}
}

// There is room for what the rate and those under way allow, and after failures for one, to try.
func TestRoomOfAGate(t *testing.T) {
	g := newGate(4, 1)
	room := func(after time.Duration, want int) {
		t.Helper()
		if n := g.room(start.Add(after)); n != want {
			t.Errorf("there is room for %d, expected %d", n, want)
		}
	}
	room(0, queued)
	g.admit(start)
	room(0, queued-1)
	g.settle(start, nil)
	room(0, 3)
	room(time.Second, queued)
	for range breakerFailures {
		g.admit(start.Add(time.Minute))
		g.settle(start.Add(time.Minute), &failure{label: labelTimeout})
		g.limiter.SetBurst(100)
	}
	room(time.Minute+breakerFirst-1, 0)
	room(time.Minute+breakerFirst, 1)
	g.admit(start.Add(time.Minute + breakerFirst))
	room(time.Minute+breakerFirst, 0)
}
