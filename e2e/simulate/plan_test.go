package simulate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	normalizers = 3
	ingests     = 2
	partitions  = 4
	replayer    = normalizers + ingests // the host of the replays
	replays     = 5                     // different ones, each of which is run again and again
)

// plan is all that a seed decides: the same seed gives the same plan.
type plan struct {
	seed     uint64
	span     time.Duration            // how long traffic and faults go on
	tempo    time.Duration            // mean time between two faults
	sends    []sending                // in the order of time
	steps    []step                   // in the order of time
	slots    int                      // of each normaliser
	last     map[string]time.Duration // when the last copy of each delivery is sent
	clocks   time.Duration            // how far those of two processes are apart at most
	older    time.Duration            // until when processes have the mappings of an earlier version
	back     bool                     // offsets are set back at times; else records are passed over at times
	snapshot time.Duration            // between two of Redis
}

// sending is one copy of one delivery leaving its vendor, who repeats it until it is taken.
type sending struct {
	at       time.Duration
	delivery delivery
	ingest   int // which one is asked first
}

// step is one fault. What the numbers mean is the kind's own affair.
type step struct {
	at   time.Duration
	kind kind
	who  int           // a process
	last time.Duration // how long it goes on, or what comes after it waits
	key  int16         // a request
	when moment
	n    int
}

type kind string

// The kinds of fault.
const (
	killed           kind = "killed"
	ambushed         kind = "ambushed"
	stopped          kind = "stopped in order"
	frozen           kind = "frozen"
	frozenReplaced   kind = "frozen and replaced"
	clockJumps       kind = "clock jumps"
	cutKafka         kind = "connections to Kafka cut"
	cutRedis         kind = "connections to Redis cut"
	silentKafka      kind = "Kafka swallows what is sent"
	silentRedis      kind = "Redis swallows what is sent"
	lostKafka        kind = "answers of Kafka lost"
	lostRedis        kind = "answers of Redis lost"
	kafkaAway        kind = "Kafka away"
	redisAway        kind = "Redis away"
	redisFlushed     kind = "Redis flushed"
	redisBack        kind = "Redis jumps back"
	moveLeaders      kind = "leaders moved"
	moveCoordinators kind = "coordinators moved"
	produceUnsure    kind = "produce applied, then refused"
	endUnsure        kind = "EndTxn applied, then refused"
	endRefused       kind = "EndTxn refused"
	offsetsRefused   kind = "offsets of a transaction refused"

	replayed         kind = "replay"
	passedOver       kind = "records passed over"
	offsetsSet       kind = "all end, and somebody sets the offsets"
	otherPepper      kind = "restarted with another pepper"
	memoryShort      kind = "Redis at the edge of its memory"
	scriptsForbidden kind = "Redis forbids scripts"
	slotMigrates     kind = "a slot of Redis migrates"
	multiForbidden   kind = "Redis forbids MULTI"
)

// kinds are all of them, the more dangerous ones more than once.
func kinds() []kind {
	return []kind{
		killed, killed, stopped, stopped, frozen, frozen, frozenReplaced, clockJumps,
		cutKafka, cutRedis, silentKafka, silentRedis, lostKafka, lostRedis, lostRedis,
		kafkaAway, redisAway, redisFlushed, redisBack, redisBack,
		moveLeaders, moveLeaders, moveCoordinators, moveCoordinators,
		produceUnsure, endUnsure, endRefused, offsetsRefused,
		ambushed, ambushed, ambushed, ambushed, ambushed, ambushed, ambushed, ambushed,
		replayed, replayed, replayed, replayed, replayed, replayed, replayed, replayed,
		passedOver, passedOver, passedOver, offsetsSet, otherPepper,
		memoryShort, memoryShort, scriptsForbidden, slotMigrates, multiForbidden,
	}
}

// ambush places a kill where the process is most vulnerable.
func (s *step) ambush(r *rand.Rand) {
	keys := []int16{kmsg.Produce.Int16()}
	switch {
	case s.kind == replayed:
		keys = append(keys, claiming, looking, marking, saving, kmsg.InitProducerID.Int16(), kmsg.EndTxn.Int16())
	case s.host() < normalizers:
		keys = append(keys, claiming, claiming, marking, kmsg.TxnOffsetCommit.Int16(), kmsg.EndTxn.Int16())
	}
	s.key, s.when = keys[r.IntN(len(keys))], moment(r.IntN(3))
}

// newPlan draws a plan. More deliveries come in bursts than evenly, since most faults matter only to a
// batch that is under way.
func newPlan(seed uint64, longest time.Duration) *plan {
	r := rand.New(rand.NewPCG(seed, 1))
	p := &plan{seed: seed, last: map[string]time.Duration{}, slots: 1 + r.IntN(2), snapshot: time.Duration(20+r.IntN(280)) * time.Second}
	p.tempo = time.Duration(5+r.IntN(40)) * time.Second
	if r.IntN(2) == 0 {
		p.clocks = claimTTL - 3*24*time.Hour // a clock that jumps is a day further away at most
	}
	p.back = r.IntN(3) == 0
	p.span = longest/3 + spread(r, 2*longest/3)
	p.older = spread(r, p.span)
	p.drawSteps(r)
	p.drawSends(rand.New(rand.NewPCG(seed, 2)))
	return p
}

// newGapPlan is a plan in which records are passed over again and again.
func newGapPlan(seed uint64, longest time.Duration) *plan {
	p := newPlan(seed, longest)
	p.back = false
	r := rand.New(rand.NewPCG(seed, 3))
	for at := time.Minute; at < p.span; at += time.Minute {
		s := step{kind: passedOver, at: at, n: 4}
		p.steps = append(append(p.steps, s), s.story(r)...)
	}
	p.sort()
	return p
}

func (p *plan) sort() {
	slices.SortStableFunc(p.steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
}

func (p *plan) drawSteps(r *rand.Rand) {
	all := kinds()
	for at := p.gap(r); at < p.span; at += p.gap(r) {
		s := step{kind: all[r.IntN(len(all))]}
		s.at, s.who, s.n = at, r.IntN(normalizers*ingests*(normalizers+ingests+1)), 1+r.IntN(4)
		if s.kind == ambushed || s.kind == replayed && r.IntN(4) > 0 {
			s.ambush(r)
		}
		if s.kind == passedOver && p.back {
			s.kind = offsetsSet
		}
		s.last = time.Duration(r.Int64N(int64(45 * time.Second)))
		if r.IntN(3) == 0 {
			s.last /= 20
		}
		p.steps = append(p.steps, s)
		if s.kind == passedOver {
			p.steps = append(p.steps, s.story(r)...)
		}
	}
	p.sort()
}

// story lets every normaliser pass records over, and a replay die over them in time for their copies.
func (s step) story(r *rand.Rand) (all []step) {
	for n := range normalizers - 1 {
		more := s
		more.who = s.who + 1 + n
		all = append(all, more)
	}
	more := s
	more.kind, more.at, more.who, more.when = replayed, s.at+10*time.Second+spread(r, time.Minute), 1+r.IntN(replays-1), before
	keys := []int16{looking, kmsg.Produce.Int16(), kmsg.EndTxn.Int16(), saving}
	more.key = keys[r.IntN(len(keys))]
	return append(all, more)
}

// gap is the time to the next fault: often they come close together.
func (p *plan) gap(r *rand.Rand) time.Duration {
	return time.Duration(r.ExpFloat64() * float64(p.tempo))
}

func (p *plan) drawSends(r *rand.Rand) {
	n := 0
	for at := time.Duration(0); at < p.span; at += time.Duration(r.ExpFloat64() * float64(10*time.Second)) {
		burst := 1
		if r.IntN(4) == 0 {
			burst = 1 + r.IntN(30)
		}
		for range burst {
			p.copies(r, newDelivery(p.seed, n), at+spread(r, time.Second))
			n++
		}
	}
	slices.SortStableFunc(p.sends, func(a, b sending) int { return cmp.Compare(a.at, b.at) })
}

// copies sends a delivery once, and often again: at once, as after a lost answer, or much later.
func (p *plan) copies(r *rand.Rand, d delivery, at time.Duration) {
	for {
		p.sends, p.last[d.id] = append(p.sends, sending{at, d, r.IntN(ingests)}), at
		switch r.IntN(7) {
		case 0, 1:
			at += spread(r, 3*time.Second)
		case 2:
			at += spread(r, 2*time.Minute)
		case 3:
			at += spread(r, 20*time.Minute)
		default:
			return
		}
		if at >= p.span {
			return
		}
	}
}

func spread(r *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(most)))
}

// host is the process that a fault of one process strikes: normalizers come first, and the replay under way last.
func (s step) host() int {
	switch s.kind {
	case frozenReplaced, otherPepper, passedOver:
		return s.who % normalizers
	}
	return s.who % (normalizers + ingests + 1)
}

func hostName(host int) string {
	switch {
	case host < normalizers:
		return fmt.Sprintf("normalizer-%d", host)
	case host == replayer:
		return "replayer"
	}
	return fmt.Sprintf("ingest-%d", host-normalizers)
}

func (s step) String() string {
	switch s.kind {
	case redisFlushed, moveLeaders, moveCoordinators, offsetsSet:
		return string(s.kind)
	case redisBack:
		return fmt.Sprintf("%s to the last snapshot but %d", s.kind, s.n-1)
	case replayed:
		text := "replay " + s.replay()
		if s.key != 0 {
			text += fmt.Sprintf(", which may die %s %s", s.when, requestName(s.key))
		}
		return text
	case kafkaAway, redisAway, memoryShort, scriptsForbidden, slotMigrates, multiForbidden:
		return fmt.Sprintf("%s for %s", s.kind, s.last.Round(time.Millisecond))
	case produceUnsure, endUnsure, endRefused, offsetsRefused:
		return fmt.Sprintf("%s ×%d", s.kind, s.n)
	}
	text := fmt.Sprintf("%s: %s", s.kind, hostName(s.host()))
	if s.kind == ambushed {
		text += fmt.Sprintf(" %s %s", s.when, requestName(s.key))
	}
	return text + fmt.Sprintf(" (%s)", s.last.Round(time.Millisecond))
}
