package ingest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// A testRoom has a clock of its own and remembers whom it expelled, by name.
type testRoom struct {
	*room
	clock   time.Duration
	evicted []string
}

func newTestRoom(limit, share int64, most int) *testRoom {
	t := &testRoom{}
	t.room = newRoom(limit, share, most, func() time.Duration { return t.clock })
	return t
}

// enter lets a connection of 10.0.N.0/24 in.
func (t *testRoom) enter(name string, network int) *place {
	p, _ := t.room.enter(testNetwork(network), false, func() { t.evicted = append(t.evicted, name) })
	return p
}

func testNetwork(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 0}), 24)
}

func (t *testRoom) wantEvicted(tb testing.TB, names ...string) {
	tb.Helper()
	if !slices.Equal(t.evicted, names) {
		tb.Errorf("evicted %v, want %v", t.evicted, names)
	}
}

// TestHeaviestSourceMakesRoom: whoever comes to a full room is let in, and the source that holds most gives up
// its oldest connection.
func TestHeaviestSourceMakesRoom(t *testing.T) {
	r := newTestRoom(6*placeCost, 6*placeCost, 100)
	r.enter("quiet", 1)
	for i := range 5 {
		r.enter(fmt.Sprintf("flood-%d", i), 2)
	}
	r.wantEvicted(t)
	r.enter("third", 3)
	r.wantEvicted(t, "flood-0")
	r.enter("flood-5", 2)
	r.wantEvicted(t, "flood-0", "flood-1")
	if r.held() != 6*placeCost || r.occupied() != 6 {
		t.Errorf("the room holds %d bytes of %d connections, want it full", r.held(), r.occupied())
	}
}

// TestRoomCountsWhatIsRead: a connection weighs by what it holds, not as one.
func TestRoomCountsWhatIsRead(t *testing.T) {
	r := newTestRoom(10*placeCost, 10*placeCost, 100)
	big := r.enter("big", 1)
	for i := range 4 {
		r.enter(fmt.Sprintf("small-%d", i), 2)
	}
	if !big.hold(5 * placeCost) {
		t.Fatal("there was room")
	}
	r.enter("more", 3)
	r.wantEvicted(t, "big")
	if !big.wasEvicted() || big.hold(1) {
		t.Error("an evicted place can hold more")
	}
	big.release(5 * placeCost)
	big.leave()
	if want := int64(5 * placeCost); r.held() != want {
		t.Errorf("%d bytes are counted after it is gone, want %d", r.held(), want)
	}
}

// TestConnectionsAreBounded: whatever they weigh.
func TestConnectionsAreBounded(t *testing.T) {
	r := newTestRoom(1<<40, 1<<40, 3)
	for i := range 5 {
		r.enter(fmt.Sprint(i), 1)
	}
	r.wantEvicted(t, "0", "1")
}

// TestProvedGoLast: among the connections of one source, one that has brought a proved delivery outlives those
// that have not.
func TestProvedGoLast(t *testing.T) {
	r := newTestRoom(3*placeCost, 3*placeCost, 100)
	vendor := r.enter("vendor", 1)
	vendor.prove()
	if r.held() != 0 {
		t.Fatalf("a proved request holds %d bytes of the room", r.held())
	}
	vendor.again()
	for i := range 5 {
		r.enter(fmt.Sprintf("same network-%d", i), 1)
	}
	r.wantEvicted(t, "same network-0", "same network-1", "same network-2")
}

// TestHalfIsForTheKnown: strangers, however many networks they are, take no room from senders that were proved
// lately while these keep to their half, and the other way round.
func TestHalfIsForTheKnown(t *testing.T) {
	r := newTestRoom(8*placeCost, 8*placeCost, 100)
	r.enter("vendor-0", 1).prove()
	for i := range 4 {
		r.enter(fmt.Sprintf("vendor-%d", i+1), 1)
	}
	for i := range 5 {
		r.enter(fmt.Sprintf("stranger-%d", i), 2+i)
	}
	if got := r.evicted; len(got) != 1 || !strings.HasPrefix(got[0], "stranger") {
		t.Errorf("evicted %v, want one stranger", got)
	}
	r.evicted = nil
	r.enter("vendor-5", 1)
	r.wantEvicted(t, "vendor-1")
	r.evicted = nil
	r.clock += provedFor
	r.enter("vendor-6", 1) // now it is a stranger, and holds most
	r.wantEvicted(t, "vendor-2")
}

// TestStrangerHasAShare: one network fills no more than its share, though the rest is empty; one that was proved
// lately may.
func TestStrangerHasAShare(t *testing.T) {
	r := newTestRoom(100*placeCost, 2*placeCost, 100)
	for i := range 4 {
		r.enter(fmt.Sprint(i), 1)
	}
	r.wantEvicted(t, "0", "1")
	r.enter("vendor", 2).prove()
	for i := range 4 {
		r.enter(fmt.Sprintf("vendor-%d", i), 2)
	}
	r.wantEvicted(t, "0", "1")
}

// TestNoisySource: one that fails on and on has a few connections and no more, until it has been quiet; others and
// whoever was proved lately are not concerned.
func TestNoisySource(t *testing.T) {
	r := newTestRoom(1<<30, 1<<30, 1<<20)
	p := r.enter("first", 1)
	for range failureBurst {
		if p.noisy() {
			t.Fatal("it is noisy before it has used up its failures")
		}
		p.fail()
	}
	if !p.noisy() {
		t.Fatal("it is not noisy after its last failure")
	}
	for i := 1; i < noisyPlaces; i++ {
		if r.enter(fmt.Sprint(i), 1) == nil {
			t.Fatalf("a noisy source has %d places", i)
		}
	}
	if _, ok := r.room.enter(testNetwork(1), false, func() {}); ok {
		t.Error("a noisy source got one place more than it may have")
	}
	if _, ok := r.room.enter(testNetwork(2), false, func() {}); !ok {
		t.Error("another source was refused for it")
	}
	r.clock += time.Second / failureRate
	if p.noisy() {
		t.Error("it stays noisy when it has been quiet")
	}
	p.fail()
	p.prove()
	for range 2 * failureBurst {
		p.fail()
	}
	if p.noisy() {
		t.Error("a source that was proved lately is noisy")
	}
	r.clock += provedFor
	for range failureBurst {
		p.fail()
	}
	if !p.noisy() {
		t.Error("a source that was proved long ago is never noisy")
	}
}

// TestStorm: many networks that each fail a little, and together too much, have few failures left each. Whoever
// does not fail, and whoever was proved lately, is not concerned.
func TestStorm(t *testing.T) {
	r := newTestRoom(1<<30, 1<<30, 1<<20)
	vendor, newcomer := r.enter("vendor", 1), r.enter("newcomer", 2)
	vendor.prove()
	for range 2 * failureBurst {
		vendor.fail() // is no part of it
	}
	const networks = allBurst / (2 * stormBurst)
	var strangers []*place
	for i := range networks {
		strangers = append(strangers, r.enter("stranger", 10+i))
	}
	fail := func(each int) (noisy int) {
		for range each {
			for _, p := range strangers {
				p.fail()
			}
		}
		for _, p := range strangers {
			if p.noisy() {
				noisy++
			}
		}
		return noisy
	}
	if n := fail(2*stormBurst - 1); n != 0 {
		t.Fatalf("%d of %d networks are noisy before there is a storm", n, networks)
	}
	if n := fail(1); n != networks {
		t.Errorf("%d of %d networks are noisy in a storm, want all", n, networks)
	}
	if vendor.noisy() || newcomer.noisy() {
		t.Error("who did not fail, or was proved lately, is noisy in a storm")
	}
	if !vendor.failing() {
		t.Error("a vendor that fails and fails is not slowed")
	}
	r.clock += time.Second
	if n := fail(0); n != 0 {
		t.Errorf("%d of %d networks are noisy when the storm is over", n, networks)
	}
	fail(allRate / networks)
	if n := fail(stormBurst); n != networks {
		t.Errorf("%d of %d networks are noisy when it is back, want all", n, networks)
	}
}

// TestEvictionIsAFailure: a network that takes more than there is for it becomes noisy by that alone.
func TestEvictionIsAFailure(t *testing.T) {
	r := newTestRoom(1<<30, 20*placeCost, 1<<20)
	var last *place
	for i := range 20 + failureBurst {
		last = r.enter(fmt.Sprint(i), 1)
	}
	if !last.noisy() {
		t.Errorf("after %d evictions the network is not noisy", len(r.evicted))
	}
}

// TestProxyStandsForItsClients: what a proxy brings is paid for by whom it speaks for, and their failures are not its own.
func TestProxyStandsForItsClients(t *testing.T) {
	r := newTestRoom(1<<30, 2*placeCost, 1<<20)
	var last *place
	for i := range 5 {
		p, ok := r.room.enter(testNetwork(1), true, func() { r.evicted = append(r.evicted, fmt.Sprint(i)) })
		if !ok || !p.speakFor(testNetwork(2)) && i < 2 {
			t.Fatal("a client of the proxy found no room")
		}
		last = p
	}
	r.wantEvicted(t, "0", "1", "2")
	for range failureBurst {
		last.fail()
	}
	if !last.noisy() {
		t.Error("the client is not noisy")
	}
	other, _ := r.room.enter(testNetwork(1), true, func() {})
	if !other.speakFor(testNetwork(3)) || other.noisy() {
		t.Error("another client of the proxy pays for it")
	}
}

// TestSourcesAreBounded: whoever comes from ever new networks is forgotten before those who were proved are.
func TestSourcesAreBounded(t *testing.T) {
	r := newTestRoom(1<<30, 1<<30, 1<<20)
	vendor := r.enter("vendor", 1<<15)
	vendor.prove()
	for i := range 3 * maxSources {
		p := r.enter("stranger", i%(1<<15))
		p.fail()
		p.leave()
	}
	if n := len(r.sources); n > maxSources {
		t.Errorf("%d sources are remembered, want at most %d", n, maxSources)
	}
	if s := r.sources[testNetwork(1<<15)]; s == nil || !s.known(r.clock) {
		t.Error("the network of a proved delivery is forgotten")
	}
}

// TestRoomAddsUp does at random what connections do, and compares the sums with what is there.
func TestRoomAddsUp(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		r := newTestRoom(40*placeCost, 12*placeCost, 30)
		var all []*place
		for step := range 2000 {
			r.clock += time.Duration(random.IntN(100)) * time.Millisecond
			if len(all) == 0 || random.IntN(4) == 0 {
				if p, ok := r.room.enter(testNetwork(random.IntN(8)), random.IntN(8) == 0, func() {}); ok {
					all = append(all, p)
				}
				continue
			}
			i := random.IntN(len(all))
			act(all[i], random)
			if problem := r.broken(all); problem != "" {
				t.Fatalf("seed %d, step %d: %s", seed, step, problem)
			}
		}
	}
}

func act(p *place, random *rand.Rand) {
	switch random.IntN(7) {
	case 0:
		p.leave()
	case 1:
		p.prove()
	case 2:
		p.again()
	case 3:
		p.fail()
	case 4:
		p.speakFor(testNetwork(random.IntN(8)))
	default:
		if n := int64(random.IntN(2 * placeCost)); p.hold(n) && random.IntN(2) == 0 {
			p.release(n)
		}
	}
}

// broken says which sum is wrong.
func (t *testRoom) broken(all []*place) string {
	var used int64
	places, perSource := 0, map[*source]int64{}
	for _, p := range all {
		if p.holder != nil {
			used += p.cost
			places++
			perSource[p.holder] += p.cost
		}
	}
	switch {
	case used != t.used() || places != t.places():
		return fmt.Sprintf("%d bytes of %d connections are counted, and %d of %d are there", t.used(), t.places(), used, places)
	case used > t.limit || places > t.most:
		return fmt.Sprintf("%d bytes of %d connections are over the limits", used, places)
	}
	for s, sum := range perSource {
		if s.used != sum || s.crowd == nil || s.crowd.heaviest[s.at] != s {
			return fmt.Sprintf("%s counts %d bytes and holds %d, and is at %d of %v", s.network, s.used, sum, s.at, s.crowd)
		}
		if s.used > s.crowd.heaviest[0].used {
			return fmt.Sprintf("%s holds more than the top of the heap", s.network)
		}
	}
	if n := len(t.strangers.heaviest) + len(t.known.heaviest); len(perSource) != n {
		return fmt.Sprintf("%d sources are in the heaps, and %d hold something", n, len(perSource))
	}
	return ""
}
