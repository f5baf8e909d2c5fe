package serve

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// input is the topic that a stage reads: what package normalize asks of Kafka, as
// package sink answers it.
type input struct {
	*service
	reader      *sink.Reader
	group, base string
}

var (
	_ normalize.Sessions = input{}
	_ normalize.Log      = input{}
)

func (s *service) input(reader *sink.Reader, group, base string) input {
	return input{s, reader, group, base}
}

// Open implements normalize.Sessions.
func (i input) Open(ctx context.Context, id string, watch normalize.Watch) (normalize.Slot, error) {
	if i.TransactionalIDSuffix != "" {
		id += "-" + i.TransactionalIDSuffix
	}
	_, disposition, err := i.reader.Partitions(ctx, schemas.DispositionTopic)
	if err != nil {
		return normalize.Slot{}, err
	}
	_, raw, err := i.reader.Partitions(ctx, schemas.Raw)
	if err != nil {
		return normalize.Slot{}, err
	}
	session, err := sink.OpenSession(ctx, failKafka(i.kafka), i.sessionOptions(id, watch))
	if err != nil {
		return normalize.Slot{}, err
	}
	slot := normalize.Slot{Session: failSession(session), Topic: session.Topic(), TopicID: session.TopicID(), RawTopicID: raw, DispositionID: disposition, Close: session.Close, Refused: session.Refused}
	if i.base == schemas.Raw {
		slot.RawTopicID = session.TopicID() // what is read, whatever has happened since
	}
	return slot, nil
}

func (i input) sessionOptions(id string, watch normalize.Watch) sink.SessionOptions {
	n := i.Config.File.Normalize
	return sink.SessionOptions{
		Group:              i.group,
		TransactionalID:    id,
		Input:              i.base,
		Gather:             true,
		SessionTimeout:     n.SessionTimeout.AsDuration(),
		Heartbeat:          n.HeartbeatInterval.AsDuration(),
		TransactionTimeout: n.TransactionTimeout.AsDuration(),
		OnAssigned:         watch.Assigned,
		OnRevoked:          watch.Revoked,
		OnPlaced:           watch.Placed,
	}
}

// Judge implements normalize.Sessions. What it does not know passes: the session
// then goes on, or ends by itself.
func (input) Judge(err error) normalize.Trouble {
	switch {
	case errors.Is(err, sink.ErrTwin):
		return normalize.Twin
	case errors.Is(err, sink.ErrTopicChanged):
		return normalize.Stop
	case errors.Is(err, sink.ErrBroken), errors.Is(err, sink.ErrFenced), errors.Is(err, sink.ErrClosed), errors.Is(err, sink.ErrBatchOpen):
		return normalize.Reopen
	}
	return normalize.Passing
}

// History implements normalize.Log.
func (i input) History(ctx context.Context, partition int32, from record.ScanFrom, fn func(offset int64, value []byte) error) (int64, error) {
	return i.reader.ScanRecords(ctx, schemas.DispositionTopic, partition, from, func(r record.Record) error { return fn(r.Offset, r.Value) })
}

// Bounds implements normalize.Log.
func (i input) Bounds(ctx context.Context, partition int32) (record.Bounds, error) {
	return i.reader.Bounds(ctx, partition)
}

// errEnough ends a scan that has found what it looked for.
var errEnough = errors.New("enough")

// Tasks reads records of the topic again; see hydrate.Options.
func (i input) Tasks(ctx context.Context, partition int32, from int64, fn func(*kgo.Record) (more bool)) error {
	_, err := i.reader.Scan(ctx, i.base, partition, record.ScanFrom{Offset: from}, func(r *kgo.Record) error {
		if !fn(r) {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// Offsets implements normalize.Log. What retention removed, and what a hanging
// transaction holds back, is noticed by the normaliser alone.
func (i input) Offsets(ctx context.Context) (at normalize.Offsets, err error) {
	if at.Committed, err = i.reader.Committed(ctx, i.group, i.base); err != nil {
		return at, err
	}
	if at.Ends, err = i.reader.Ends(ctx, i.base); err != nil || i.base != schemas.Raw {
		return at, err
	}
	if at.Starts, err = i.reader.Starts(ctx, i.base); err != nil {
		return at, err
	}
	at.Oldest = i.oldest
	at.Held, err = i.reader.HeldPartitions(ctx, written(i.kafka)...)
	return at, err
}

// errFirst ends a scan at its first record.
var errFirst = errors.New("the first record")

// oldest is when the first record that a partition still holds arrived.
func (i input) oldest(ctx context.Context, partition int32) (at time.Time, err error) {
	_, err = i.reader.Scan(ctx, i.base, partition, record.ScanFrom{}, func(r *kgo.Record) error {
		at = r.Timestamp
		return errFirst
	})
	if errors.Is(err, errFirst) {
		err = nil
	}
	return at, err
}

// written are the topics that hold what transactions write, those of JSON among them where there are any.
func written(o sink.Options) (bases []string) {
	for _, t := range o.Catalogue() {
		if t.Base != schemas.Raw {
			bases = append(bases, t.Base)
		}
	}
	return bases
}
