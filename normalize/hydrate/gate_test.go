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
		if ok, _, why := g.admit(start); !ok {
			t.Fatalf("fetch %d waits: %s", n, why)
		}
	}
	if ok, _, why := g.admit(start); ok || why != waitTurn {
		t.Errorf("one more is admitted = %v, %q", ok, why)
	}
	g.settle(start, nil)
	if ok, _, why := g.admit(start); !ok {
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
		if ok, back, _ := g.admit(start.Add(wish - 1)); ok || back.Before(start.Add(wish)) {
			t.Errorf("%s: admitted = %v too early, or to come back at %v", label, ok, back)
		}
		if ok, _, why := g.admit(start.Add(wish)); !ok || g.open(start.Add(wish)) {
			t.Errorf("%s: not admitted when it is time: %s", label, why)
		}
	}
}

// However often it fails, an API is tried once a minute; and it must fail often again after it has answered.
func TestTheBreakerForgives(t *testing.T) {
	g, now, down := newGate(10000, 1), start, &failure{label: labelTimeout}
	for range 20 {
		if ok, _, why := g.admit(now); !ok {
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

// Those that find the limit reached get one place in the queue each, none further than a minute away.
func TestPlacesInTheQueue(t *testing.T) {
	g := newGate(0.05, 1)
	g.admit(start)
	for _, want := range []time.Duration{20 * time.Second, 40 * time.Second, time.Minute, time.Minute} {
		if ok, back, _ := g.admit(start); ok || !back.Equal(start.Add(want)) {
			t.Errorf("admitted = %v, or back after %v, expected %v", ok, back.Sub(start), want)
		}
	}
}
