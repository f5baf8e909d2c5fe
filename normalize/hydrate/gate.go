package hydrate

import (
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// queued is how many fetches may be under way or about to begin, for each that may be under way.
	queued = 4
	// The breaker opens after so many failures in a row, or at once where the credentials are refused.
	breakerFailures = 5
	breakerFirst    = 5 * time.Second
	breakerLast     = 30 * time.Second
)

// gate is what holds the requests of one customer of an API back: rate, concurrency and breaker. Each
// customer has its own, so none waits behind another.
type gate struct {
	limiter *rate.Limiter
	turns   chan struct{} // one for each request under way
	most    int           // fetches begun and not ended
	tokens  tokens

	mu       sync.Mutex
	underWay int
	failures int // in a row
	pause    time.Duration
	until    time.Time // the breaker is open
	probing  bool
}

func newGate(perSecond float64, concurrency int) *gate {
	return &gate{
		limiter: rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond))),
		turns:   make(chan struct{}, concurrency), most: queued * concurrency,
	}
}

// admit reports whether a fetch may begin now, or why not.
func (g *gate) admit(now time.Time) (ok bool, why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.shut(now):
		return false, waitBreaker
	case g.underWay >= g.most || !g.limiter.AllowN(now, 1):
		return false, waitTurn
	}
	g.probing = g.pause > 0
	g.underWay++
	return true, ""
}

// room is how many fetches may begin now: one after a failure, to try.
func (g *gate) room(now time.Time) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	room := min(g.most-g.underWay, int(g.limiter.TokensAt(now)))
	switch {
	case g.shut(now):
		return 0
	case g.pause > 0:
		return min(room, 1)
	}
	return room
}

// settle notes how a fetch ended. It reports whether the breaker opened because of it.
func (g *gate) settle(now time.Time, f *failure) (opened bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.underWay--
	g.probing = false
	switch {
	case f == nil:
		g.failures, g.pause, g.until = 0, 0, time.Time{}
		return false
	case f.aboutObject():
		g.failures, g.pause, g.until = 0, 0, time.Time{} // the API answered
		return false
	}
	g.failures++
	switch {
	case f.label == labelRefused, g.failures >= breakerFailures, g.pause > 0:
		g.pause = min(max(2*g.pause, breakerFirst), breakerLast)
		g.until = now.Add(max(g.pause, f.after))
		return true
	case f.after > 0:
		g.until = now.Add(f.after)
	}
	return false
}

// closed reports whether no fetch may begin whatever the rate allows.
func (g *gate) closed(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shut(now)
}

// shut is closed while the lock is held.
func (g *gate) shut(now time.Time) bool {
	return now.Before(g.until) || g.pause > 0 && g.probing
}

// open reports whether the circuit breaker is open.
func (g *gate) open(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pause > 0 && now.Before(g.until)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// jitter spreads what would otherwise come at one moment.
func jitter(d time.Duration) time.Duration { return time.Duration(rand.Int64N(int64(d))) }
