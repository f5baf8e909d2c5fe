package normalizetest

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

// Over is how a process reaches the broker over its line.
func (w *World) Over(l *Line) sink.Options {
	kafka := w.Sink
	// The fake broker waits this long for a killed member, and again with each join of another one, before
	// it lets the others on; a member that waits longer than its client does would join again for ever.
	kafka.Extra = []kgo.Opt{kgo.Dialer(l.Dial), kgo.RebalanceTimeout(2 * time.Second)}
	return kafka
}

// Restless are the times of a session whose death is noticed soon.
func Restless(group, input string) sink.SessionOptions {
	return sink.SessionOptions{
		Group: group, Input: input, Gather: true,
		SessionTimeout: 1500 * time.Millisecond, Heartbeat: 200 * time.Millisecond, TransactionTimeout: 15 * time.Second,
	}
}

// OpenSlot opens a session as the command does, and adds it to a slot that names the topics' ids.
func OpenSlot(ctx context.Context, kafka sink.Options, so sink.SessionOptions, id string, watch normalize.Watch, slot normalize.Slot) (normalize.Slot, error) {
	so.TransactionalID, so.OnAssigned, so.OnRevoked, so.OnPlaced = id, watch.Assigned, watch.Revoked, watch.Placed
	s, err := sink.OpenSession(ctx, kafka, so)
	if err != nil {
		return normalize.Slot{}, err
	}
	slot.Session, slot.Topic, slot.TopicID, slot.Close, slot.Refused = s, s.Topic(), s.TopicID(), s.Close, s.Refused
	if slot.RawTopicID == [16]byte{} {
		slot.RawTopicID = s.TopicID()
	}
	return slot, nil
}

// Opens is a normalize.Sessions that is a function.
type Opens func(ctx context.Context, id string, w normalize.Watch) (normalize.Slot, error)

// Open implements normalize.Sessions.
func (o Opens) Open(ctx context.Context, id string, w normalize.Watch) (normalize.Slot, error) {
	return o(ctx, id, w)
}

// Judge implements normalize.Sessions, as the program does.
func (Opens) Judge(err error) normalize.Trouble {
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

// Wrap gives sessions whose slots are changed once they are open.
func Wrap(s normalize.Sessions, change func(*normalize.Slot)) normalize.Sessions {
	return Opens(func(ctx context.Context, id string, w normalize.Watch) (normalize.Slot, error) {
		slot, err := s.Open(ctx, id, w)
		if err == nil {
			change(&slot)
		}
		return slot, err
	})
}

// Log is a normalize.Log over a reader: a stage's group reads the topic of that base name.
type Log struct {
	*sink.Reader
	Group, Base string
}

// History implements normalize.Log.
func (l Log) History(ctx context.Context, p int32, from record.ScanFrom, fn func(int64, []byte) error) (int64, error) {
	return l.Scan(ctx, schemas.DispositionTopic, p, from, func(r *kgo.Record) error { return fn(r.Offset, r.Value) })
}

// Offsets implements normalize.Log.
func (l Log) Offsets(ctx context.Context) (at normalize.Offsets, err error) {
	if at.Committed, err = l.Committed(ctx, l.Group, l.Base); err != nil {
		return at, err
	}
	if at.Starts, err = l.Starts(ctx, l.Base); err != nil {
		return at, err
	}
	at.Ends, err = l.Ends(ctx, l.Base)
	return at, err
}
