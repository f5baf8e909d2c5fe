package hydrate

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Why a task is passed over, beside that it is none.
const (
	passedDisposed = "disposed" // its raw record has its final disposition
	passedCopy     = "copy"     // a copy of it is in hand
	passedExpired  = "expired"  // retention removed it while it waited
)

// openAll opens what was polled. What is done with moves its offset and nothing else: records that are no
// tasks, tasks whose raw records have their final disposition, and copies of tasks in hand. It wants the
// batch given back where that cannot be told.
func (s *source) openAll(in normalize.Input, records []*kgo.Record, now time.Time) (*normalize.GiveBack, error) {
	if len(records) == 0 {
		return nil, nil
	}
	polled := make([]*entry, len(records))
	var tasks []normalize.Task
	for i, r := range records {
		polled[i] = s.decode(in, r)
		s.read(polled[i])
		if polled[i].state != unread {
			tasks = append(tasks, normalize.Task{HydrateTask: polled[i].task, Replay: polled[i].replay})
		}
	}
	disposed, err := in.Disposed(tasks)
	if err != nil {
		return &normalize.GiveBack{Cause: err}, nil
	}
	for i, e := range polled {
		if e.state == unread {
			continue
		}
		if disposed[0] {
			e.state, e.why = passed, passedDisposed
		} else if err := s.begin(in, records[i], e, now); err != nil {
			return nil, err
		}
		disposed = disposed[1:]
	}
	for _, e := range polled {
		s.hand = append(s.hand, e)
		if !e.over() || e.state == mapped {
			if !s.meet(e) {
				return &normalize.GiveBack{Singly: true}, nil
			}
		}
	}
	return nil, nil
}

// read notes that a record was polled. Should the session have gone back, what is polled again is forgotten.
func (s *source) read(e *entry) {
	p := s.parts[e.in.Partition]
	if p == nil {
		p = &part{first: heap[*entry]{before: func(a, b *entry) bool { return a.in.Offset < b.in.Offset }}}
		s.parts[e.in.Partition] = p
	}
	if e.in.Offset < p.next {
		s.forgetFrom(e.in.Partition, e.in.Offset)
	}
	p.next = e.in.Offset + 1
	p.first.push(e)
	s.turns++
	e.turn = s.turns
}

// newEntry is a record of either topic as it was polled.
func newEntry(in normalize.Input, r *kgo.Record) *entry {
	e := &entry{in: normalize.RecordOf(r, in.Slot.TopicID), task: &kycv1.HydrateTask{}}
	for _, h := range r.Headers {
		e.headers = append(e.headers, record.Header{Key: h.Key, Value: h.Value})
	}
	e.replay = normalize.LabelOf(e.headers)
	if contract.Unmarshal(r.Value, e.task) != nil {
		e.state = unread
	}
	e.own()
	e.whole = e.size()
	return e
}

// decode reads a record. A task lies in the partition of its raw record's number, or somebody else wrote
// it.
func (s *source) decode(in normalize.Input, r *kgo.Record) *entry {
	e := newEntry(in, r)
	if e.state == unread || s.o.Stage.Validator.Validate(e.task) != nil || e.task.GetRaw().GetPartition() != r.Partition {
		s.metrics.unread.Inc()
		s.log.Error("skipping a record of the task topic that is not a task", "partition", r.Partition, "offset", r.Offset)
		e.state = unread
	}
	return e
}

// origin is what the copies of a task have in common: the raw record, told from one at the same place of
// a raw topic that was there before, by what dedupe.Origin tells them apart.
type origin struct {
	topic            string // the id of the raw topic; "" on tasks of earlier releases
	partition        int32
	offset, received int64
	endpoint         string
	replay           string
}

func (e *entry) origin() origin {
	raw, envelope := e.task.GetRaw(), e.task.GetEnvelope()
	return origin{
		topic: string(e.task.GetRawTopicId()), partition: raw.GetPartition(), offset: raw.GetOffset(), received: envelope.GetReceivedAt().AsTime().UnixNano(),
		endpoint: envelope.GetEndpoint(), replay: e.replay,
	}
}

// meet lets a task in hand meet its copies. There are several only where offsets were reset, or a replay
// took the task for lost: one is left. One transaction writes what that copy becomes and moves the offsets of
// all, so nothing is lost with the others: a copy without its answer has claimed nothing. One that has it may
// have, in the life of a process that died, and other records were perhaps dropped for that claim; so the
// first of those is left, as if the others were not there yet, and false says that there are others.
func (s *source) meet(e *entry) (ok bool) {
	switch before := s.open[e.origin()]; {
	case before == nil:
	case before.state == mapped && e.state == mapped:
		return false
	case before.state == mapped, e.state != mapped && before.further(e):
		e.state, e.why = passed, passedCopy
		return true
	default:
		s.pass(before)
	}
	s.open[e.origin()] = e
	return true
}

// pass takes a task that was in hand before out for a copy of it.
func (s *source) pass(e *entry) {
	if e.state == waits {
		s.hand = append(s.hand, s.lot.remove(e))
	}
	e.state, e.why, e.fetch = passed, passedCopy, nil
}

// further reports whether a task has come further than a copy of it that was read later.
func (e *entry) further(later *entry) bool {
	if a, b := e.task.GetAskedAgain(), later.task.GetAskedAgain(); a != b {
		return a
	}
	return e.task.GetAttempt() > later.task.GetAttempt()
}

// passCopies passes over all but the last copy of each task.
func passCopies(tasks []*entry) {
	left := make(map[origin]*entry, len(tasks))
	for _, e := range tasks {
		if e.state == unread {
			continue
		}
		if before := left[e.origin()]; before != nil {
			before.state, before.why = passed, passedCopy
		}
		left[e.origin()] = e
	}
}

// scanMost bounds how many records are read for the sake of one that waits.
const scanMost = 1000

// unpack reads again what was left out of tasks that go on. What cannot be read waits a little longer.
func (s *source) unpack(ctx context.Context, woken []*entry, now time.Time) []*entry {
	byPart := make(map[int32][]*entry)
	for _, e := range woken {
		if e.packed {
			byPart[e.in.Partition] = append(byPart[e.in.Partition], e)
		}
	}
	for partition, all := range byPart {
		if err := s.reread(ctx, partition, all); err != nil {
			s.log.Warn("tasks that waited cannot be read again", "partition", partition, "error", err)
		}
	}
	return slices.DeleteFunc(woken, func(e *entry) bool {
		if e.packed && e.state == asking {
			e.back = now.Add(alarmAgain)
			s.park(e, e.gate, e.why, now)
		}
		return e.state == waits
	})
}

// reread reads tasks of a partition at their offsets.
func (s *source) reread(ctx context.Context, partition int32, all []*entry) error {
	slices.SortFunc(all, func(a, b *entry) int { return int(a.in.Offset - b.in.Offset) })
	looked := 0
	return s.o.Tasks(ctx, partition, all[0].in.Offset, func(r *kgo.Record) bool {
		for looked++; len(all) > 0 && all[0].in.Offset <= r.Offset; all = all[1:] {
			e, read := all[0], &kycv1.HydrateTask{}
			if e.in.Offset == r.Offset && contract.Unmarshal(r.Value, read) == nil {
				e.unpack(read)
				continue
			}
			e.state, e.why = passed, passedExpired
			s.log.Error("retention removed a task while it waited: raise topics.raw_retention, and replay", "partition", partition, "offset", e.in.Offset)
		}
		return len(all) > 0 && looked < scanMost
	})
}
