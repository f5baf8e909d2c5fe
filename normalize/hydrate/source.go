package hydrate

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/providers"
)

const (
	// defaultBatch bounds what one poll brings: each task may carry a delivery and an object.
	defaultBatch = 100
	// pollOn is how long a poll waits while fetches are under way; their end interrupts it.
	pollOn = 250 * time.Millisecond
	// handMost bounds the bytes of deliveries and answers in hand: from there on nothing is polled or woken until
	// some are written.
	handMost = 8 << 20
	// portionOn is how long a poll waits where more is to be written than one transaction takes.
	portionOn = time.Millisecond
	// turnsOn is the same while tasks wait for their turn alone.
	turnsOn = 100 * time.Millisecond
)

// source is the task topic. Tasks stay in hand while their fetches are under way, and in the lot while they
// wait, though later ones are done with: the group's offset stays before the first that is open. What ends is
// written at once. After a crash, or when partitions move, the open ones are read again, and those among them
// that are done with are passed over.
type source struct {
	o        Options
	reads    *normalize.Interpreter
	vendors  map[string]*providers.Provider
	asker    *asker
	metrics  *metrics
	log      *slog.Logger
	wakeup   normalize.Wakeup      // woken by the fetches of tasks in hand
	latest   map[string]lastAnswer // by record key, the last one that was written
	said     map[string]time.Time  // when an endpoint without an API was last complained about
	full     time.Time             // when it was last said that too many tasks wait
	gauged   time.Time             // when the gauges were last set
	rawTopic [16]byte

	hand    []*entry // polled, asking, or to be written
	lot     *lot
	open    map[origin]*entry // tasks in hand and in the lot
	parts   map[int32]*part
	turns   int64
	writing bool // since a Process that neither ended nor failed
	more    bool // there is more to write than was
}

// lastAnswer is what is known of the last answer about a subject.
type lastAnswer struct {
	number int64 // 0: it is of another process
	at     time.Time
}

// part is how far a partition was read.
type part struct {
	next int64 // the offset behind what was polled
	head int64 // and what it was at the last commit
	// first has the entries by their offsets, those that are no longer open among them.
	first heap[*entry]
}

// low is where a successor must begin.
func (p *part) low() int64 {
	for !p.first.empty() && p.first.first().done {
		p.first.pop()
	}
	if p.first.empty() {
		return p.next
	}
	return p.first.first().in.Offset
}

func newSource(o Options, a *asker, m *metrics) *source {
	s := &source{
		o: o, asker: a, metrics: m, log: o.Stage.Logger,
		reads: normalize.NewInterpreter(o.Stage.Providers, o.Stage.Validator, normalize.InterpreterOptions{
			StaleAfter: o.Stage.TTL, MaxRecordBytes: o.Stage.MaxRecordBytes, ReferenceAsIs: o.Stage.ReferenceAsIs, Forms: o.Stage.Forms,
			Gate: providers.NewGate([]byte(o.Stage.Pepper.Reveal())),
		}),
		vendors: make(map[string]*providers.Provider), latest: make(map[string]lastAnswer), said: make(map[string]time.Time),
		lot: newLot(), open: make(map[origin]*entry), parts: make(map[int32]*part),
	}
	for i := range o.Stage.Providers {
		p := &o.Stage.Providers[i]
		s.vendors[p.Name] = p
	}
	return s
}

// Begin implements normalize.Source.
func (s *source) Begin() normalize.Poll {
	if s.writing {
		s.committed()
	}
	p := normalize.Poll{Max: min(s.o.Stage.Batch, s.lot.room()), Limit: s.limit(time.Now()), Wakeup: &s.wakeup}
	if room := s.room(); !room.left() || s.more {
		p.Max = 0
	}
	if p.Max == 0 {
		p.Limit = cmp.Or(p.Limit, pollOn)
	}
	return p
}

// limit is how long a poll may take; 0: as long as the slot has nothing else to do.
func (s *source) limit(now time.Time) (limit time.Duration) {
	if s.more {
		return portionOn
	}
	if len(s.hand) > 0 {
		limit = pollOn
	}
	if room := s.room(); !room.left() { // nobody is woken
		return limit
	}
	if s.lot.turning(now) {
		limit = turnsOn
	}
	if next := s.lot.next(); !next.IsZero() {
		until := max(next.Sub(now), time.Millisecond)
		limit = min(until, cmp.Or(limit, until))
	}
	return limit
}

// room is what may be taken in hand beside what is.
func (s *source) room() room {
	r := room{tasks: s.o.Stage.Batch, bytes: handMost}
	for _, e := range s.hand {
		r.take(e)
		r.bytes -= len(e.task.GetFetched())
	}
	return r
}

// Take implements normalize.Source.
func (s *source) Take(ctx context.Context, in normalize.Input, polled []*kgo.Record) (normalize.Next, error) {
	now := time.Now()
	s.rawTopic = in.Slot.RawTopicID
	switch back, err := s.openAll(in, polled, now); {
	case err != nil:
		return nil, err
	case back != nil:
		return *back, nil
	}
	s.wake(ctx, now)
	over := false
	for _, e := range s.hand {
		s.advance(e, now)
		over = over || e.over()
	}
	s.hand = slices.DeleteFunc(s.hand, func(e *entry) bool { return e.state == waits })
	s.gauge(now)
	if !over {
		s.more = false
		return normalize.Idle{}, nil
	}
	return s.process()
}

// wake takes out of the lot what may go on. While what is in hand cannot be written, no more is asked for.
func (s *source) wake(ctx context.Context, now time.Time) {
	room := s.room()
	woken := s.lot.wake(now, &room, func(e *entry) bool { return s.tired(e, now) })
	s.hand = append(s.hand, s.unpack(ctx, woken, now)...)
	if s.lot.room() == 0 && now.Sub(s.full) >= time.Minute {
		s.full = now
		s.log.Warn("too many tasks wait for vendors' APIs: this slot reads no further until some are done", "waiting", len(s.lot.tasks))
	}
}

// process is what becomes of what is over, as much of it as one transaction takes. The rest stays in hand.
func (s *source) process() (normalize.Next, error) {
	over := s.portion()
	p := normalize.Process{Readings: make([]*normalize.Reading, len(over)), Offsets: make(map[int32]int64, len(s.parts))}
	for i, e := range over {
		var err error
		if p.Readings[i], err = s.reading(e); err != nil {
			return nil, err
		}
		e.done = true
	}
	for number, part := range s.parts {
		p.Offsets[number] = part.low()
	}
	s.writing = true
	return p, nil
}

// portion is what is written next: first what is mapped or passed over, then answers as they came.
func (s *source) portion() []*entry {
	var answers, over []*entry
	for _, e := range s.hand {
		switch {
		case e.state == stored:
			answers = append(answers, e)
		case e.over():
			over = append(over, e)
		}
	}
	slices.SortStableFunc(over, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.in.Partition, b.in.Partition), cmp.Compare(a.in.Offset, b.in.Offset))
	})
	slices.SortStableFunc(answers, func(a, b *entry) int { return cmp.Compare(a.number, b.number) })
	over, answers, s.more = s.cut(over, answers)
	return append(over, s.inOrder(answers)...)
}

// cut leaves of what is over as much as one transaction takes, at least one, and reports whether there is more.
func (s *source) cut(over, answers []*entry) (_, _ []*entry, more bool) {
	limits := s.o.Stage.Bounds.WithDefaults()
	bytes, events := 0, 0
	for n, e := range slices.Concat(over, answers) {
		if n > 0 && (bytes >= limits.Written || events >= limits.Events) {
			return over[:min(n, len(over))], answers[:max(n-len(over), 0)], true
		}
		bytes += e.whole + len(e.task.GetFetched())
		if e.read != nil {
			events += len(e.read.Events())
		}
	}
	return over, answers, false
}

// inOrder takes answers in their order, and lets none about a subject seem older than the one before: the clock
// may have been set back.
func (s *source) inOrder(answers []*entry) []*entry {
	if len(s.latest) > latestMost {
		clear(s.latest)
	}
	for _, e := range answers {
		if e.task.GetFetchedAt() == nil {
			continue
		}
		key := string(e.in.Key)
		at := later(e.task.GetFetchedAt().AsTime(), s.latest[key].at)
		s.latest[key] = lastAnswer{e.number, at}
		e.task.FetchedAt = timestamppb.New(at)
	}
	return answers
}

// seeAnswer notes when an answer came that an earlier life of this process, or another one, has written.
func (s *source) seeAnswer(e *entry) {
	key, at := string(e.in.Key), e.task.GetFetchedAt()
	if l := s.latest[key]; at != nil && at.AsTime().After(l.at) {
		l.at = at.AsTime()
		s.latest[key] = l
	}
}

// committed forgets what is done with.
func (s *source) committed() {
	s.writing = false
	s.hand = slices.DeleteFunc(s.hand, func(e *entry) bool { return e.done && s.close(e) })
	for _, part := range s.parts {
		part.head = part.next
	}
}

// Undo implements normalize.Keeper.
func (s *source) Undo() {
	s.writing = false
	for number, part := range s.parts {
		s.forgetFrom(number, part.head)
		if part.next, part.first.items = part.head, nil; part.head == 0 {
			delete(s.parts, number)
		}
	}
	for _, e := range s.hand {
		e.done = false
		s.parts[e.in.Partition].first.push(e)
	}
	for e := range s.lot.tasks {
		s.parts[e.in.Partition].first.push(e)
	}
}

// Lose implements normalize.Keeper.
func (s *source) Lose(partitions []int32) {
	s.writing = false
	s.forget(func(e *entry) bool { return partitions == nil || slices.Contains(partitions, e.in.Partition) })
	for number := range s.parts {
		if partitions == nil || slices.Contains(partitions, number) {
			delete(s.parts, number)
		}
	}
	s.gauged = time.Time{}
	s.gauge(time.Now())
}

// forgetFrom forgets what was polled of a partition from an offset on.
func (s *source) forgetFrom(partition int32, from int64) {
	s.forget(func(e *entry) bool { return e.in.Partition == partition && e.in.Offset >= from })
}

// forget takes entries out of hand and lot.
func (s *source) forget(which func(*entry) bool) {
	s.hand = slices.DeleteFunc(s.hand, func(e *entry) bool { return which(e) && s.close(e) })
	for e := range s.lot.tasks {
		if which(e) {
			s.close(s.lot.remove(e))
		}
	}
}

// close notes that a record is no longer in hand; it is always true.
func (s *source) close(e *entry) bool {
	e.done = true
	if at := e.origin(); s.open[at] == e {
		delete(s.open, at)
	}
	return true
}
