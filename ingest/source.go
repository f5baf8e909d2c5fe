package ingest

import (
	"net/netip"
	"time"
)

// A source is the network that requests come from, as far as it is the business of one party: the share of a
// stranger is that of its network, or a rented prefix would be as many strangers as it has addresses.
const (
	sourceBits4 = 24
	sourceBits6 = 48
)

// sourceOf is the network of an address; the zero prefix for one that cannot be read.
func sourceOf(a netip.Addr) netip.Prefix {
	bits := sourceBits6
	if a = a.Unmap().WithZone(""); a.Is4() {
		bits = sourceBits4
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// What failures cost: requests without a proof, connections without a request, and those that were evicted. Ordinary
// mistakes of one network, such as a vendor that signs with the secret of before a rotation, stay below the first pair;
// whoever tries at full speed is noisy within a second. Many networks that each stay below are a storm when together
// they do not keep to the second. In a storm, each has the third.
const (
	failureBurst, failureRate = 100, 20 // of one network; rates are per second
	allBurst, allRate         = 1000, 200
	stormBurst, stormRate     = 10, 1
)

// provedFor is how long a source counts as known after a delivery that was proved.
const provedFor = 10 * time.Minute

// A bucket holds the failures that may still be made.
type bucket struct {
	tokens float64
	filled time.Duration // uptime
}

func (b *bucket) fill(now time.Duration, burst, rate float64) {
	b.tokens = min(burst, b.tokens+rate*(now-b.filled).Seconds())
	b.filled = now
}

func (b *bucket) take() { b.tokens = max(0, b.tokens-1) }

// standing is what is remembered of a source beyond its connections.
type standing struct {
	provedUntil time.Duration // uptime
	failures    bucket
}

func newStanding(now time.Duration) standing {
	return standing{failures: bucket{failureBurst, now}}
}

func (s *standing) known(now time.Duration) bool { return now < s.provedUntil }

// noisy reports whether a source has used up its failures.
func (s *standing) noisy(now time.Duration, storm bool) bool {
	s.fill(now, storm)
	return s.failures.tokens < 1 || storm && s.failures.tokens <= failureBurst-stormBurst
}

func (s *standing) failed(now time.Duration, storm bool) {
	s.fill(now, storm)
	s.failures.take()
}

func (s *standing) fill(now time.Duration, storm bool) {
	rate := float64(failureRate)
	if storm {
		rate = stormRate
	}
	s.failures.fill(now, failureBurst, rate)
}

// plain reports whether there is nothing to remember.
func (s *standing) plain(now time.Duration) bool {
	s.fill(now, true)
	return s.failures.tokens == failureBurst && !s.known(now)
}
