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

// What a network's failures cost it. Ordinary mistakes, such as a vendor that signs with the secret of before a
// rotation, stay below; whoever tries at full speed is noisy within a second.
const (
	failureBurst = 100
	failureRate  = 20 // per second
)

// provedFor is how long a source counts as known after a delivery that was proved.
const provedFor = 10 * time.Minute

// standing is what is remembered of a source beyond its connections. Times are uptimes.
type standing struct {
	provedUntil time.Duration
	tokens      float64 // failures that it may still make
	filled      time.Duration
}

func newStanding(now time.Duration) standing { return standing{tokens: failureBurst, filled: now} }

func (s *standing) known(now time.Duration) bool { return now < s.provedUntil }

// noisy reports whether a source has used up its failures. One that was proved lately is never noisy: a vendor
// must not be silenced by whoever shares its network.
func (s *standing) noisy(now time.Duration) bool {
	s.fill(now)
	return s.tokens < 1 && !s.known(now)
}

func (s *standing) failed(now time.Duration) {
	s.fill(now)
	s.tokens = max(0, s.tokens-1)
}

func (s *standing) fill(now time.Duration) {
	s.tokens = min(failureBurst, s.tokens+failureRate*(now-s.filled).Seconds())
	s.filled = now
}

// plain reports whether there is nothing to remember.
func (s *standing) plain(now time.Duration) bool {
	s.fill(now)
	return s.tokens == failureBurst && !s.known(now)
}
