package hydrate

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Why a task is passed over, beside that it is none.
const (
	passedDisposed = "disposed" // its raw record has its final disposition
	passedCopy     = "copy"     // a later copy of it is in hand
)

// openAll opens what was polled. What is done with moves its offset and nothing else: records that are no
// tasks, tasks whose raw records have their final disposition, and earlier copies of tasks in hand. It
// wants the batch given back where that cannot be told.
func (s *source) openAll(in normalize.Input, records []*kgo.Record) (*normalize.GiveBack, error) {
	polled := make([]*entry, len(records))
	var tasks []normalize.Task
	for i, r := range records {
		polled[i] = s.decode(in, r)
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
		} else if err := s.open(in, records[i], e); err != nil {
			return nil, err
		}
		disposed = disposed[1:]
	}
	s.hand = append(s.hand, polled...)
	if !passCopies(s.hand) {
		return &normalize.GiveBack{Singly: true}, nil
	}
	return nil, nil
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
	partition        int32
	offset, received int64
	endpoint         string
	replay           string
}

func (e *entry) origin() origin {
	raw, envelope := e.task.GetRaw(), e.task.GetEnvelope()
	return origin{
		partition: raw.GetPartition(), offset: raw.GetOffset(), received: envelope.GetReceivedAt().AsTime().UnixNano(),
		endpoint: envelope.GetEndpoint(), replay: e.replay,
	}
}

// passCopies leaves one copy of each task in hand. There are several only where offsets were reset. One
// transaction writes what that copy becomes and moves the offsets of all, so nothing is lost with the
// others: a copy without its answer has claimed nothing. One that has it may have, in the life of a
// process that died, and other records were perhaps dropped for that claim; so the first of those is
// left, as if the others were not there yet, and false says that there are others.
func passCopies(hand []*entry) (ok bool) {
	left := make(map[origin]*entry, len(hand))
	for _, e := range hand {
		if e.state == unread || e.state == passed {
			continue
		}
		before := left[e.origin()]
		switch {
		case before == nil:
		case before.state == mapped && e.state == mapped:
			return false
		case before.state == mapped:
			e.state, e.why = passed, passedCopy
			continue
		default: // the later one has come further
			before.state, before.why = passed, passedCopy
		}
		left[e.origin()] = e
	}
	return true
}
