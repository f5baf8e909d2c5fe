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
	breakerLast     = time.Minute
)

// gate is what holds the requests of one customer of an API back: rate, concurrency and breaker. Each
// customer has its own, so none waits behind another.
type gate struct {
	limiter *rate.Limiter
	spacing time.Duration // between two requests in the long run
	turns   chan struct{} // one for each request under way
	most    int           // fetches begun and not ended
	tokens  tokens

	mu       sync.Mutex
	underWay int
	next     time.Time // when the next task that finds the limit reached may come back
	failures int       // in a row
	pause    time.Duration
	until    time.Time // the breaker is open
	probing  bool
}

func newGate(perSecond float64, concurrency int) *gate {
	return &gate{
		limiter: rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond))),
		spacing: time.Duration(float64(time.Second) / perSecond),
		turns:   make(chan struct{}, concurrency), most: queued * concurrency,
	}
}

// admit reports whether a fetch may begin now, or when to come back and why.
func (g *gate) admit(now time.Time) (ok bool, back time.Time, why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case now.Before(g.until):
		return false, g.until.Add(jitter(time.Second)), waitBreaker
	case g.pause > 0 && g.probing:
		return false, now.Add(time.Second), waitBreaker
	case g.underWay >= g.most || !g.limiter.AllowN(now, 1):
		// One place in the queue for each, so that they do not all come back at once.
		g.next = later(g.next, now).Add(g.spacing)
		return false, earlier(g.next, now.Add(time.Minute)), waitTurn
	}
	g.probing = g.pause > 0
	g.underWay++
	return true, time.Time{}, ""
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

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// jitter spreads what would otherwise come at one moment.
func jitter(d time.Duration) time.Duration { return time.Duration(rand.Int64N(int64(d))) }
