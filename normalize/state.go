package normalize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// What Ready may say, beside dedupe.ErrUnavailable.
var (
	ErrKafka     = errors.New("kafka is unavailable")
	ErrSession   = errors.New("the Kafka session ended; opening a new one")
	ErrRefused   = errors.New("kafka refuses the transaction")
	ErrRepairing = errors.New("repairing the marks")
)

var (
	errStarting = errors.New("starting")
	errJoining  = errors.New("joining the consumer group")
)

// cause is what a reason not to be ready is about; a closed set, the label of a metric.
type cause string

const (
	causeStarting  cause = "starting"
	causeJoining   cause = "joining"
	causeSession   cause = "session"
	causeRedis     cause = "redis"
	causeRepairing cause = "repairing"
	causeRefused   cause = "refused"
	causeLacking   cause = "lacking"
)

// place is what a cause takes the place of: a slot has one reason for each at most, and each ends by itself. A
// refused transaction is not over because Redis answers, and Redis is not back because a repair begins.
func (c cause) place() int {
	switch c {
	case causeRedis:
		return 1
	case causeRepairing:
		return 2
	case causeRefused:
		return 3
	case causeLacking:
		return 4
	}
	return 0 // how far the session is
}

const places = 5

func causeOf(err error) cause {
	for _, known := range []struct {
		is    error
		cause cause
	}{
		{errStarting, causeStarting},
		{errJoining, causeJoining},
		{ErrSession, causeSession}, // before the others, which may have ended it
		{ErrRefused, causeRefused},
		{ErrLacking, causeLacking},
		{ErrRepairing, causeRepairing},
		{dedupe.ErrUnavailable, causeRedis},
		{dedupe.ErrUnsuitable, causeRedis},
	} {
		if errors.Is(err, known.is) {
			return known.cause
		}
	}
	return causeSession
}

// state is the readiness of one slot. Set by the slot, read by anyone.
type state struct {
	mu  sync.Mutex
	why [places]error
}

// set gives a reason, in place of the one of its kind. A session that begins anew ends what was wrong with the
// one before; nil ends everything.
func (s *state) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.why = [places]error{}
		return
	}
	is := causeOf(err)
	if is.place() == 0 {
		s.why[causeRepairing.place()], s.why[causeRefused.place()] = nil, nil
		s.why[causeLacking.place()] = nil
	}
	s.why[is.place()] = err
}

// get gives all reasons.
func (s *state) get() error { return errors.Join(s.reasons()...) }

// reasons are the reasons, each of another kind.
func (s *state) reasons() (all []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, err := range s.why {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// repair says which partitions wait for their marks; nil: none.
func (s *state) repair(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why[causeRepairing.place()] = err
}

// end takes a reason back, unless another one has taken its place.
func (s *state) end(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, err := range s.why {
		if errors.Is(err, reason) {
			s.why[i] = nil
		}
	}
}

// placed is a reason with the partitions that it holds up.
type placed struct {
	topic      string
	partitions []int32 // none: not known yet, or the whole slot's
	err        error
}

// Error names topic and partitions.
func (p *placed) Error() string {
	switch {
	case p.topic == "":
		return p.err.Error()
	case len(p.partitions) == 0:
		return fmt.Sprintf("topic %s: %v", p.topic, p.err)
	}
	return fmt.Sprintf("topic %s, partition(s) %v: %v", p.topic, p.partitions, p.err)
}

func (p *placed) Unwrap() error { return p.err }

// ownership collects which partitions came and went; the group's goroutine tells it, the slot asks.
type ownership struct {
	wakeup *Wakeup // of the slot, when there is something to ask; nil: none

	mu      sync.Mutex
	member  bool // the group was joined, perhaps without a partition for us
	owned   map[int32]bool
	changed map[int32]bool
	places  map[int32]*record.Place // of owned partitions, once it is known
	cut     map[int32]context.CancelFunc
}

func newOwnership(w *Wakeup) *ownership {
	return &ownership{
		wakeup: w, owned: make(map[int32]bool), changed: make(map[int32]bool),
		places: make(map[int32]*record.Place), cut: make(map[int32]context.CancelFunc),
	}
}

func (o *ownership) assigned(parts []int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.member = true
	for _, p := range parts {
		o.owned[p] = true
		o.change(p)
	}
	o.wakeup.Wake()
}

func (o *ownership) revoked(parts []int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range parts {
		delete(o.owned, p)
		o.change(p)
	}
	o.wakeup.Wake()
}

// change ends the work on a partition. The lock is held.
func (o *ownership) change(p int32) {
	o.changed[p] = true
	delete(o.places, p)
	if cut := o.cut[p]; cut != nil {
		cut()
	}
}

// placed notes where partitions are read from.
func (o *ownership) placed(at map[int32]record.Place) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for p, place := range at {
		o.places[p] = &place
	}
	o.wakeup.Wake()
}

// place is where a partition is read from; nil: it is not known yet.
func (o *ownership) place(p int32) *record.Place {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.places[p]
}

// during returns a context for work on one partition, which ends when the partition comes or goes.
// done ends it; one piece of work for each partition at a time.
func (o *ownership) during(ctx context.Context, p int32) (work context.Context, done func()) {
	work, cancel := context.WithCancel(ctx)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cut[p] = cancel
	if o.changed[p] {
		cancel()
	}
	return work, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.cut, p)
		cancel()
	}
}

// joined reports whether the consumer group has assigned us our partitions.
func (o *ownership) joined() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.member
}

// moved reports whether anything changed since it was last drained.
func (o *ownership) moved() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.changed) > 0
}

// now are the partitions that are owned, in order. For any goroutine.
func (o *ownership) now() (parts []int32) {
	if o == nil {
		return nil // before the first session
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for p := range o.owned {
		parts = append(parts, p)
	}
	slices.Sort(parts)
	return parts
}

// drain returns what changed since it was last asked, and what is owned now.
func (o *ownership) drain() (changed, owned []int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for p := range o.changed {
		changed = append(changed, p)
	}
	clear(o.changed)
	for p := range o.owned {
		owned = append(owned, p)
	}
	return changed, owned
}

// progress is how far a slot has come, for the lag metrics.
type progress struct {
	oldest atomic.Int64 // unix nanoseconds of the oldest record in hand; 0: none

	mu   sync.Mutex
	next map[int32]int64     // the offset after the last committed record; notYet: none was ours
	last map[int32]time.Time // when that record arrived
	gone map[int32]int64     // the offset before which all that expired is counted
}

// expired is raw records of a partition that retention removed before they were processed.
type expired struct {
	partition int32
	from, to  int64     // to is excluded
	after     time.Time // the arrival of the last one processed before them; zero: not known
}

// notYet stands for a partition that is ours and in which nothing was committed by us: its lag
// counts from the group's offset.
const notYet = -1

// took notes that a batch is in hand.
func (p *progress) took(oldest time.Time) { p.oldest.Store(max(oldest.UnixNano(), 1)) }

// idle notes that nothing is in hand.
func (p *progress) idle() { p.oldest.Store(0) }

// begin notes that a partition is ours.
func (p *progress) begin(partition int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		p.next = make(map[int32]int64)
	}
	p.next[partition] = notYet
}

// reset forgets all partitions: those of a session that is over come back only if the next one
// gets them too.
func (p *progress) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.next)
	clear(p.last)
}

// reached notes that a record is committed, which arrived at a time.
func (p *progress) reached(partition int32, next int64, arrived time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		p.next = make(map[int32]int64)
	}
	if p.last == nil {
		p.last = make(map[int32]time.Time)
	}
	p.next[partition], p.last[partition] = next, arrived
}

// stands notes where the group stands that stays before records which are open.
func (p *progress) stands(partition int32, next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		p.next = make(map[int32]int64)
	}
	p.next[partition] = next
}

func (p *progress) forget(partition int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.next, partition)
	delete(p.last, partition)
}

// expired returns which records lie before the starts of the log, unprocessed, that it has not returned before.
func (p *progress) expired(starts, committed map[int32]int64) (all []expired) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone == nil {
		p.gone = make(map[int32]int64)
	}
	for partition, next := range p.next {
		if next == notYet {
			at, ok := committed[partition]
			if !ok {
				continue // a group that is new begins where the log does
			}
			next = at
		}
		from, to := max(next, p.gone[partition]), starts[partition]
		if from < to {
			p.gone[partition] = to
			all = append(all, expired{partition: partition, from: from, to: to, after: p.last[partition]})
		}
	}
	return all
}

// lag adds up how many records lie between what was reached and the ends. committed are the
// group's offsets.
func (p *progress) lag(ends, committed map[int32]int64) (records int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for partition, next := range p.next {
		if next == notYet {
			next = committed[partition]
		}
		records += max(ends[partition]-next, 0)
	}
	return records
}
