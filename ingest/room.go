package ingest

import (
	"container/heap"
	"container/list"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// A room bounds what all senders together hold before they are proved: their connections and what came over
// these, in bytes. Nobody is turned away from a full room. Instead the source that holds most gives up its
// oldest connection, one that never brought a proved delivery before one that did. So a flood takes room from
// itself, even from where vendors send: a delivery is read and judged within milliseconds and is gone before it
// is the oldest, and what waits on purpose is. Sources that were proved lately, and those that were not, take no
// room from each other while they keep to their half of it.
//
// The price is known: while a flood from its own network goes on, a sender that is slower than the flood is fast
// may lose its connection, and comes again.
type room struct {
	limit int64                // bytes, of all
	share int64                // bytes, of a source that was not proved lately
	most  int                  // connections, of all
	now   func() time.Duration // uptime

	mu               sync.Mutex
	sources          map[netip.Prefix]*source
	strangers, known crowd
	failures         bucket // of all strangers
	evicted          atomic.Int64
}

// placeCost stands for a connection that has sent nothing: its goroutine, two buffers of net/http and the
// first lines of a header.
const placeCost = 16 << 10

// noisyPlaces is how many connections a noisy source may have.
const noisyPlaces = 8

// maxSources bounds how many are remembered. What is forgotten begins anew.
const maxSources = 8192

// A source is what one network holds and how it behaved.
type source struct {
	network netip.Prefix
	standing
	proxy bool // stands for many senders: it has no share of its own, and its failures are theirs
	used  int64
	// Both are of *place, the oldest in front.
	fresh, regulars list.List

	crowd *crowd // nil while it holds nothing
	at    int    // in the crowd
}

// A crowd is the sources of one kind that hold something.
type crowd struct {
	heaviest heaviest
	used     int64
	places   int
}

// A place is one connection in the room.
type place struct {
	room  *room
	evict func() // ends the connection or its request; called once, without the lock

	peer   *source // whose connection it is
	holder *source // who pays: the peer, or whom a proxy speaks for; nil while it is outside
	cost   int64
	proved bool          // it has brought a proved delivery
	gone   chan struct{} // closed when it is evicted
	here   *list.Element
}

func newRoom(limit, share int64, most int, now func() time.Duration) *room {
	return &room{limit: limit, share: share, most: most, now: now, sources: map[netip.Prefix]*source{}, failures: bucket{allBurst, now()}}
}

// enter gives a new connection its place; false: its source is noisy and has all it may have.
func (r *room) enter(peer netip.Prefix, proxy bool, evict func()) (*place, bool) {
	r.mu.Lock()
	s := r.find(peer)
	s.proxy = s.proxy || proxy
	if s.places() >= noisyPlaces && r.noisy(s) {
		r.mu.Unlock()
		return nil, false
	}
	p := &place{room: r, evict: evict, peer: s, gone: make(chan struct{})}
	r.put(p, s, placeCost)
	out := r.settle(s)
	r.unlock(out)
	return p, !p.wasEvicted()
}

// hold counts n more bytes of the place; false: it was evicted, now or before.
func (p *place) hold(n int64) bool {
	r := p.room
	r.mu.Lock()
	var out []*place
	if p.holder != nil {
		r.charge(p, n)
		out = r.settle(p.holder)
	}
	r.unlock(out)
	return !p.wasEvicted()
}

// release gives n bytes back.
func (p *place) release(n int64) {
	p.room.mu.Lock()
	defer p.room.mu.Unlock()
	if p.holder != nil {
		p.room.charge(p, -n)
	}
}

// speakFor makes the network that a proxy got the request from pay for it.
func (p *place) speakFor(client netip.Prefix) bool {
	r := p.room
	r.mu.Lock()
	var out []*place
	if p.holder != nil && p.holder.network != client {
		cost := p.cost
		r.take(p)
		r.put(p, r.find(client), cost)
		out = r.settle(p.holder)
	}
	r.unlock(out)
	return !p.wasEvicted()
}

// leave ends the place's stay: its request is proved, or its connection is closed.
func (p *place) leave() {
	p.room.mu.Lock()
	defer p.room.mu.Unlock()
	p.room.take(p)
}

// prove is leave for a request whose sender is proved.
func (p *place) prove() {
	r := p.room
	r.mu.Lock()
	defer r.mu.Unlock()
	p.proved = true
	p.payer().provedUntil = r.now() + provedFor
	r.take(p)
}

// again brings a connection whose request is answered back into the room, as its youngest.
func (p *place) again() {
	r := p.room
	r.mu.Lock()
	var out []*place
	if !p.wasEvicted() {
		r.take(p)
		r.put(p, p.peer, placeCost)
		out = r.settle(p.peer)
	}
	r.unlock(out)
}

// fail counts a failure of whoever pays for the place.
func (p *place) fail() {
	r := p.room
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed(p.payer())
}

// noisy reports whether the one who pays has used up its failures. One that was proved lately is not noisy: a vendor
// must not be silenced by whoever shares its network.
func (p *place) noisy() bool {
	r := p.room
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.noisy(p.payer())
}

// failing reports whether the one who pays has used up its failures, proved or not.
func (p *place) failing() bool {
	r := p.room
	r.mu.Lock()
	defer r.mu.Unlock()
	s := p.payer()
	return !s.proxy && s.noisy(r.now(), r.storm())
}

func (p *place) payer() *source {
	if p.holder != nil {
		return p.holder
	}
	return p.peer
}

// known reports whether the one who pays was proved lately.
func (p *place) known() bool {
	r := p.room
	r.mu.Lock()
	defer r.mu.Unlock()
	return p.payer().known(r.now())
}

func (p *place) wasEvicted() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// held is how many bytes are counted, occupied how many connections.
func (r *room) held() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used()
}

func (r *room) occupied() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.places()
}

// What follows is called with the lock held.

func (r *room) used() int64 { return r.strangers.used + r.known.used }
func (r *room) places() int { return r.strangers.places + r.known.places }

func (r *room) noisy(s *source) bool {
	return !s.proxy && !s.known(r.now()) && s.noisy(r.now(), r.storm())
}

// storm reports whether strangers together fail more than they may.
func (r *room) storm() bool {
	r.failures.fill(r.now(), allBurst, allRate)
	return r.failures.tokens < 1
}

func (r *room) failed(s *source) {
	if s.proxy {
		return
	}
	s.failed(r.now(), r.storm())
	if !s.known(r.now()) {
		r.failures.take()
	}
}

// find returns the source of a network, and makes it known where it is not.
func (r *room) find(network netip.Prefix) *source {
	if s := r.sources[network]; s != nil {
		return s
	}
	if len(r.sources) >= maxSources {
		r.forget()
	}
	s := &source{network: network, standing: newStanding(r.now())}
	r.sources[network] = s
	return s
}

// forget makes room for another source: of some that hold nothing, it drops what there is least to remember of.
// A map is walked in no order, so nobody can choose which.
func (r *room) forget() {
	now, looked := r.now(), 0
	var least *source
	for _, s := range r.sources {
		if s.crowd != nil {
			continue
		}
		if s.plain(now) {
			least = s
			break
		}
		if least == nil || least.known(now) && !s.known(now) {
			least = s
		}
		if looked++; looked == 64 {
			break
		}
	}
	if least != nil {
		delete(r.sources, least.network)
	}
}

func (r *room) put(p *place, s *source, cost int64) {
	r.change(s, func() {
		if p.holder = s; p.proved {
			p.here = s.regulars.PushBack(p)
		} else {
			p.here = s.fresh.PushBack(p)
		}
		p.cost = cost
		s.used += cost
	})
}

func (r *room) take(p *place) {
	s := p.holder
	if s == nil {
		return
	}
	r.change(s, func() {
		s.fresh.Remove(p.here) // one of the two has it, the other does nothing
		s.regulars.Remove(p.here)
		s.used -= p.cost
		p.holder, p.here = nil, nil
	})
}

func (r *room) charge(p *place, n int64) {
	r.change(p.holder, func() {
		p.cost += n
		p.holder.used += n
	})
}

// change does something to what a source holds, and counts it anew among its like.
func (r *room) change(s *source, do func()) {
	if c := s.crowd; c != nil {
		heap.Remove(&c.heaviest, s.at)
		c.used -= s.used
		c.places -= s.places()
		s.crowd = nil
	}
	do()
	if s.places() == 0 {
		return
	}
	s.crowd = &r.strangers
	if s.proxy || s.known(r.now()) {
		s.crowd = &r.known
	}
	heap.Push(&s.crowd.heaviest, s)
	s.crowd.used += s.used
	s.crowd.places += s.places()
}

// settle expels until s keeps to its share and all keep to the limits.
func (r *room) settle(s *source) (out []*place) {
	if !s.proxy && !s.known(r.now()) {
		for s.used > r.share {
			out = append(out, r.expel(s))
		}
	}
	for r.used() > r.limit || r.places() > r.most {
		out = append(out, r.expel(r.heaviest()))
	}
	return out
}

// heaviest is who gives way in a full room.
func (r *room) heaviest() *source {
	if r.strangers.used > r.limit/2 || r.strangers.places > r.most/2 {
		return r.strangers.heaviest[0]
	}
	return r.known.heaviest[0]
}

// expel takes the oldest connection of a source out of the room. One that never brought a proof has failed.
func (r *room) expel(s *source) *place {
	oldest := s.fresh.Front()
	if oldest == nil {
		oldest = s.regulars.Front()
	} else {
		r.failed(s)
	}
	p := oldest.Value.(*place)
	r.take(p)
	close(p.gone)
	r.evicted.Add(1)
	return p
}

// unlock also ends what was expelled.
func (r *room) unlock(out []*place) {
	r.mu.Unlock()
	for _, p := range out {
		p.evict()
	}
}

func (s *source) places() int { return s.fresh.Len() + s.regulars.Len() }

// heaviest is a heap of sources, the one that holds most on top.
type heaviest []*source

func (h heaviest) Len() int           { return len(h) }
func (h heaviest) Less(i, j int) bool { return h[i].used > h[j].used }

func (h heaviest) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *heaviest) Push(x any) {
	s := x.(*source)
	s.at = len(*h)
	*h = append(*h, s)
}

func (h *heaviest) Pop() any {
	old := *h
	s := old[len(old)-1]
	*h = old[:len(old)-1]
	return s
}
