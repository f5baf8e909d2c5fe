package normalize

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Source interprets what a slot reads: the slot polls, and the source returns what it wants next. It is
// used by one goroutine, and keeps no record from one batch to the next unless it is a Keeper.
type Source interface {
	// Begin forgets the last batch, and returns the first poll of the next one.
	Begin() Poll
	// Take is given what was polled, those of a partition in offset order; none where nothing came. An
	// error is a fault of our own rules, after which processing must stop.
	Take(ctx context.Context, in Input, polled []*kgo.Record) (Next, error)
}

// Keeper is a Source that keeps records in hand while later ones are done with. It says with each Process
// where a successor begins to read, and needs a session that gathers and may leave the group there.
type Keeper interface {
	Source
	// Lose forgets the records of partitions that went, or came anew; nil: of all.
	Lose(partitions []int32)
	// Undo forgets what was polled since the last commit: it comes again. What was in hand before stays.
	Undo()
}

// Next is what a Source wants: Poll, Process, GiveBack or Idle.
type Next interface{ next() }

// Poll: records, those in hand aside. A second one in a batch needs a session that gathers.
type Poll struct {
	Max    int           // records at most; none: only time is to pass
	Limit  time.Duration // how long it may take; 0: as long as the slot has nothing else to do
	Wakeup *Wakeup       // ends it early; nil: nothing does
}

// Process: a reading for each record of the batch, those of a partition in offset order.
type Process struct {
	Readings []*Reading
	// Offsets are where the group stands in each partition once this is committed; nil: behind the batch.
	// A Keeper names every partition that it has records of or read in.
	Offsets map[int32]int64
}

// GiveBack: what was polled will be polled again.
type GiveBack struct {
	Cause  error // what must be over before; nil: nothing
	Singly bool  // record by record
}

// Idle: nothing came.
type Idle struct{}

func (Poll) next()     {}
func (Process) next()  {}
func (GiveBack) next() {}
func (Idle) next()     {}

// Input is what a Source may ask about what was polled.
type Input struct {
	Slot Slot
	// PoisonPill reports whether a record must not be interpreted, since processes died over it.
	PoisonPill func(r *kgo.Record) bool
	// Disposed reports of each task whether its raw record has its final disposition; the task lies in
	// the partition of its raw record's number, and is to be passed over. The others are open until the
	// batch is committed. An error is a reason to give the batch back.
	Disposed func(tasks []Task) ([]bool, error)
	// Singly: this record is looked at alone, and what it becomes is written alone.
	Singly bool
}

// Task is a task with the label of the replay that wrote it; "" for none. A replay's task has a disposition
// of its own.
type Task struct {
	*kycv1.HydrateTask
	Replay string
}

// Wakeup ends a poll early. Its zero value is ready, and it is safe for
// concurrent use.
type Wakeup struct {
	mu     sync.Mutex
	woken  bool // since the last poll
	cancel context.CancelFunc
}

// Wake ends the poll that is under way, or else the next one. A nil Wakeup has none.
func (w *Wakeup) Wake() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.woken = true; w.cancel != nil {
		w.cancel()
	}
}

// during returns a context that Wake ends. A nil Wakeup never does.
func (w *Wakeup) during(ctx context.Context) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancel(ctx)
	if w == nil {
		return ctx, cancel
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.woken {
		cancel()
	}
	w.cancel = cancel
	return ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.woken, w.cancel = false, nil
		cancel()
	}
}

// rawSource is the Source of the normaliser. A batch grows by polls of the raw topic until it has reached a bound.
type rawSource struct {
	reads *Interpreter
	batch growing
}

// Begin implements Source.
func (s *rawSource) Begin() Poll {
	s.batch.reset()
	return Poll{Max: s.batch.most}
}

// Take implements Source.
func (s *rawSource) Take(_ context.Context, in Input, polled []*kgo.Record) (Next, error) {
	bytes := 0
	for _, r := range polled {
		read := s.reads.Interpret
		if in.PoisonPill(r) {
			read = s.reads.GiveUp
		}
		reading, err := read(RecordOf(r, in.Slot.RawTopicID))
		if err != nil {
			return nil, err
		}
		s.batch.add(reading)
		bytes += len(r.Value)
	}
	return s.batch.next(in, bytes), nil
}

// RecordOf is a polled record of a topic as interpreters take it.
func RecordOf(r *kgo.Record, topic [16]byte) RawRecord {
	return RawRecord{
		Topic: r.Topic, TopicID: topic, Partition: r.Partition, Offset: r.Offset,
		Time: r.Timestamp, Key: r.Key, Value: r.Value,
	}
}
