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
)

// plan is all that a seed decides: the same seed gives the same plan.
type plan struct {
	seed     uint64
	span     time.Duration // how long traffic and faults go on
	tempo    time.Duration // mean time between two faults
	sends    []sending     // in the order of time
	steps    []step        // in the order of time
	slots    int           // of each normaliser
	snapshot time.Duration // between two of Redis
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
	killNormalizer   kind = "normalizer killed"
	ambushNormalizer kind = "normalizer ambushed"
	stopNormalizer   kind = "normalizer stopped in order"
	freezeNormalizer kind = "normalizer frozen"
	replaceFrozen    kind = "normalizer frozen and replaced"
	killIngest       kind = "ingest killed"
	ambushIngest     kind = "ingest ambushed"
	stopIngest       kind = "ingest stopped in order"
	jumpClock        kind = "ingest's clock jumps"
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
)

// kinds are all of them, the more dangerous ones more than once.
func kinds() []func(*rand.Rand) step {
	of := func(k kind) func(*rand.Rand) step {
		return func(*rand.Rand) step { return step{kind: k} }
	}
	all := []func(*rand.Rand) step{
		of(killNormalizer), of(stopNormalizer), of(freezeNormalizer), of(replaceFrozen), of(freezeNormalizer),
		of(killIngest), of(stopIngest), of(jumpClock),
		of(cutKafka), of(cutRedis), of(silentKafka), of(silentRedis), of(lostKafka), of(lostRedis), of(lostRedis),
		of(kafkaAway), of(redisAway), of(redisFlushed), of(redisBack), of(redisBack),
		of(moveLeaders), of(moveLeaders), of(moveCoordinators), of(moveCoordinators),
		of(produceUnsure), of(endUnsure), of(endRefused), of(offsetsRefused),
	}
	for range 6 {
		all = append(all, ambushed)
	}
	return append(all, ambushedIngest)
}

// ambushed is a kill at one of the places where a worker is most vulnerable.
func ambushed(r *rand.Rand) step {
	keys := []int16{claiming, kmsg.Produce.Int16(), kmsg.TxnOffsetCommit.Int16(), kmsg.EndTxn.Int16()}
	return step{kind: ambushNormalizer, key: keys[r.IntN(len(keys))], when: moment(r.IntN(3))}
}

func ambushedIngest(r *rand.Rand) step {
	return step{kind: ambushIngest, key: kmsg.Produce.Int16(), when: moment(r.IntN(3))}
}

// newPlan draws a plan. More deliveries come in bursts than evenly, since most faults matter only to a
// batch that is under way.
func newPlan(seed uint64, longest time.Duration) *plan {
	r := rand.New(rand.NewPCG(seed, 1))
	p := &plan{seed: seed, slots: 1 + r.IntN(2), snapshot: time.Duration(20+r.IntN(280)) * time.Second}
	p.tempo = time.Duration(10+r.IntN(50)) * time.Second
	p.span = longest/3 + spread(r, 2*longest/3)
	p.drawSteps(r)
	p.drawSends(rand.New(rand.NewPCG(seed, 2)))
	return p
}

func (p *plan) drawSteps(r *rand.Rand) {
	all := kinds()
	for at := p.gap(r); at < p.span; at += p.gap(r) {
		s := all[r.IntN(len(all))](r)
		s.at, s.who, s.n = at, r.IntN(normalizers*ingests), 1+r.IntN(4)
		s.last = time.Duration(r.Int64N(int64(45 * time.Second)))
		if r.IntN(3) == 0 {
			s.last /= 20
		}
		p.steps = append(p.steps, s)
	}
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
		p.sends = append(p.sends, sending{at, d, r.IntN(ingests)})
		switch r.IntN(6) {
		case 0, 1:
			at += spread(r, 3*time.Second)
		case 2:
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

func (s step) String() string {
	switch s.kind {
	case redisFlushed, moveLeaders, moveCoordinators:
		return string(s.kind)
	case redisBack:
		return fmt.Sprintf("%s to the last snapshot but %d", s.kind, s.n-1)
	case kafkaAway, redisAway:
		return fmt.Sprintf("%s for %s", s.kind, s.last.Round(time.Millisecond))
	case produceUnsure, endUnsure, endRefused, offsetsRefused:
		return fmt.Sprintf("%s ×%d", s.kind, s.n)
	}
	text := fmt.Sprintf("%s: %d", s.kind, s.who)
	if s.kind == ambushNormalizer || s.kind == ambushIngest {
		text += fmt.Sprintf(" %s %s", s.when, requestName(s.key))
	}
	return text + fmt.Sprintf(" (%s)", s.last.Round(time.Millisecond))
}
