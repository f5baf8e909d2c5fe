package normalize

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Source is what a slot reads. It is used by one goroutine and keeps no record from one Next to the
// next: what it polled belongs to the batch it returns.
type Source interface {
	// Next polls, and returns one Reading for each record it polled, those of a partition in offset
	// order; none when nothing came.
	Next(ctx context.Context, in Input) ([]*Reading, error)
}

// Task is a task with the label of the replay that wrote it; "" for none. What a replay ordered is done with
// on its own.
type Task struct {
	*kycv1.HydrateTask
	Replay string
}

// Input is a slot's open session to a Source.
type Input struct {
	Slot  Slot
	Limit time.Duration // how long the first poll may wait: marks may have to be written
	// Poll gives up to max records, none when limit or ctx ends first. A second call in one Next needs
	// a session that gathers. What it returns as an error ends the session.
	Poll func(ctx context.Context, limit time.Duration, max int) ([]*kgo.Record, error)
	// Bury says that a polled record must not be interpreted: processes died over it. nil: none.
	Bury func(r *kgo.Record) bool
	// Disposed says which tasks' raw records have their final disposition, each task lying in the
	// partition of its raw record's number: they are to be passed over. The others are open until the
	// batch is committed. What it returns as an error must be returned from Next.
	Disposed func(tasks []Task) ([]bool, error)
	// Singly gives what was polled back, to be polled again record by record. What it returns as an error
	// must be returned from Next.
	Singly func() error
}

// raw is the Source of the normaliser: one poll of the raw topic.
type raw struct {
	reads *Interpreter
	batch int
}

func (s raw) Next(ctx context.Context, in Input) ([]*Reading, error) {
	records, err := in.Poll(ctx, in.Limit, s.batch)
	if err != nil {
		return nil, err // before a record is looked at: it may be one that kills
	}
	readings := make([]*Reading, len(records))
	for i, r := range records {
		read := s.reads.Interpret
		if in.Bury(r) {
			read = s.reads.giveUp
		}
		readings[i] = read(RecordOf(r, in.Slot.RawTopicID))
	}
	return readings, nil
}

// RecordOf is a polled record of a topic as interpreters take it.
func RecordOf(r *kgo.Record, topic [16]byte) RawRecord {
	return RawRecord{
		Topic: r.Topic, TopicID: topic, Partition: r.Partition, Offset: r.Offset,
		Time: r.Timestamp, Key: r.Key, Value: r.Value,
	}
}
