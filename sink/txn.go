package sink

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
)

// Commit writes out and the offsets of the open batch in one transaction.
//
// (true, nil): all of it is committed, and every Offset of out is set.
// (false, nil): nothing is, the batch will be polled again; AbortReason says
// why (ErrRebalanced is normal). With any error the outcome is unknown or the
// session is of no more use: Close it and open a new one with the same
// transactional id, which ends whatever is left of the transaction.
//
// ctx should end only when the process does: cancelling it in the middle makes
// the outcome unknowable.
func (s *Session) Commit(ctx context.Context, out []record.Outgoing) (committed bool, err error) {
	ctx = s.staying(ctx)
	if s.broken != nil {
		return false, s.brokenError()
	}
	records, err := s.opts.records(out)
	if err != nil {
		return false, s.fail("encode", err)
	}
	if err := s.txn.Begin(); err != nil {
		return false, s.fail("begin", err)
	}
	produced, err := s.produce(ctx, records)
	if err != nil {
		return false, s.fail("flush", err)
	}
	filling := s.filling
	committed, err = s.end(ctx, produced)
	if err != nil || !committed {
		return false, err
	}
	setOffsets(out, records)
	if filling != nil {
		s.filled(filling)
	}
	return true, nil
}

// end finishes the transaction. produced is the first error of any record: the
// library would commit the ones that succeeded, and with them the offset of a
// record whose output is missing, so one failure must abort all.
func (s *Session) end(ctx context.Context, produced error) (bool, error) {
	try := kgo.TryCommit
	if produced != nil {
		try = kgo.TryAbort
	}
	committed, err := s.txn.End(ctx, try)
	switch {
	case err != nil:
		return false, s.fail("end", errors.Join(err, produced))
	case Classify(produced) == ClassFenced:
		return false, s.fail("produce", produced)
	case committed:
		s.reason = nil
	case produced != nil:
		s.reason = produced
	default:
		s.reason = ErrRebalanced
	}
	s.open, s.filling = false, nil
	return committed, nil
}

// Rewind gives the open batch back without output: the next Poll returns it
// again. Nothing was produced, so ending an empty transaction asks no broker and
// sets the read position back to the last committed offsets.
func (s *Session) Rewind(ctx context.Context) error {
	if s.broken != nil {
		return s.brokenError()
	}
	if err := s.txn.Begin(); err != nil {
		return s.fail("begin", err)
	}
	if _, err := s.txn.End(ctx, kgo.TryAbort); err != nil {
		return s.fail("rewind", err)
	}
	s.open, s.filling = false, nil
	return nil
}

// Refused is AbortReason without the rebalances, which pass by themselves.
func (s *Session) Refused() error {
	if errors.Is(s.reason, ErrRebalanced) || Classify(s.reason) == ClassRebalance {
		return nil
	}
	return s.reason
}
