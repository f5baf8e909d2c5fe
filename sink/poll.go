package sink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Poll returns up to max records, no more once they have SessionOptions.PollBytes, those of
// one partition in offset order, or nothing when ctx ends first. The batch is then open: it must be given to
// Commit or Rewind before the next Poll, because a commit covers everything
// that was polled; with SessionOptions.Gather, a further Poll adds to it. An error comes without records; errors that do not wrap
// ErrBroken, ErrFenced, ErrTopicChanged or ErrClosed are worth a log line, and
// polling goes on.
func (s *Session) Poll(ctx context.Context, max int) ([]*kgo.Record, error) {
	if s.broken != nil {
		return nil, s.brokenError()
	}
	if s.open && !s.session.Gather {
		return nil, ErrBatchOpen
	}
	if err := s.queued; err != nil {
		s.queued = nil
		return nil, err
	}
	if !s.open {
		if records := s.pollGap(max); len(records) > 0 {
			return records, nil
		}
	}
	records, err := s.take(ctx, max)
	if s.broken != nil || len(records) == 0 {
		return nil, err
	}
	// Records that came beside an error are handed out first: dropping them
	// here would let the next commit pass over them.
	s.queued = err
	s.open = true
	slices.SortStableFunc(records, func(a, b *kgo.Record) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	return records, nil
}

// The client is asked for a few records at a time, since it knows how many there are, not how large they are: at most
// takeMost, and fewer the fewer of takeBytes there is room for.
const (
	takeMost  = 4
	takeBytes = 8 << 10
)

// take waits for the first records, and adds what the client has beside them.
func (s *Session) take(ctx context.Context, most int) (records []*kgo.Record, err error) {
	bytes := 0
	for len(records) < most && bytes < s.session.PollBytes {
		n := min(most-len(records), takeMost, 1+(s.session.PollBytes-bytes)/takeBytes)
		fetches := s.txn.PollRecords(ctx, n)
		before := len(records)
		err = s.fetchError(ctx, fetches)
		fetches.EachRecord(func(r *kgo.Record) {
			records, bytes = append(records, r), bytes+len(r.Value)
		})
		if err != nil || s.broken != nil || len(records) == before {
			break
		}
		ctx = atHand
	}
	return records, err
}

// atHand has the client give only what it has already.
var atHand context.Context

// fetchError collects what went wrong beside the records, and notices when the
// input is no longer the topic it was.
func (s *Session) fetchError(ctx context.Context, fetches kgo.Fetches) error {
	var errs []error
	fetches.EachTopic(func(t kgo.FetchTopic) {
		if t.Topic == s.input.name && t.TopicID != (TopicID{}) && t.TopicID != s.input.id {
			s.broken = ErrTopicChanged
		}
	})
	fetches.EachError(func(topic string, partition int32, err error) {
		switch {
		case ctx != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return
		case errors.Is(err, kgo.ErrClientClosed):
			s.broken = ErrClosed
		case errors.Is(err, kerr.FencedInstanceID):
			s.broken = fmt.Errorf("group %s: %w", s.opts.Scoped(s.session.Group), produceError(err))
		case Classify(err) == ClassTopicChanged:
			s.broken = ErrTopicChanged
		case topic == s.input.name && s.noteGap(partition, err):
		default:
			errs = append(errs, fmt.Errorf("reading %s partition %d: %w", topic, partition, err))
		}
	})
	if s.broken != nil {
		return s.brokenError()
	}
	return errors.Join(errs...)
}

// brokenError says why the session can only be closed.
func (s *Session) brokenError() error {
	if errors.Is(s.broken, ErrTopicChanged) {
		return fmt.Errorf("%w: topic %s: stop, read the runbook for recreated topics, start again", ErrTopicChanged, s.input.name)
	}
	return errors.Join(ErrBroken, s.broken)
}
