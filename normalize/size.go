package normalize

import (
	"context"
	"errors"
	"time"
)

// growAfter is how many batches in a row must be written quickly before larger ones are tried.
const growAfter = 8

// size bounds the records of a batch by what Kafka was seen to take within one transaction: one that ran out
// of time would run out of it again at the same size. Its zero value bounds nothing.
type size struct {
	most  int // 0: no bound
	quick int // batches in a row that left room for larger ones
}

// of is how many records may be polled where a source asks for so many and so many are in hand.
func (s *size) of(asked, inHand int) int {
	if s.most == 0 {
		return asked
	}
	return min(asked, s.most-inHand)
}

// failed halves the bound after a batch that could not be written in time, down to one record. It reports
// whether that changed it.
func (s *size) failed(records int) bool {
	before := s.most
	s.most, s.quick = max(records/2, 1), 0
	return s.most != before
}

// written doubles the bound after enough batches that were quick enough for twice as many records; full is
// what a batch has at most.
func (s *size) written(took, limit time.Duration, full int) {
	switch {
	case s.most == 0:
		return
	case took > limit/4:
		s.quick = 0
		return
	}
	if s.quick++; s.quick < growAfter {
		return
	}
	s.quick = 0
	if s.most *= 2; s.most >= full {
		s.most = 0
	}
}

// outOfTime reports whether a transaction was not written because it took too long: the broker ends one
// that is older than its limit, and what it then says is also said of other things.
func (w *worker) outOfTime(err error, since time.Time) bool {
	return errors.Is(err, context.DeadlineExceeded) || age(since) >= w.o.TransactionTimeout
}

// shorten has the next batches be smaller after one that ran out of time.
func (w *worker) shorten(b *batch, err error, since time.Time) {
	if w.outOfTime(err, since) && w.size.failed(len(b.readings)) {
		w.log.Warn("a transaction ran out of time; the next batches are smaller", "records", len(b.readings), "next", w.size.most, "limit", w.o.TransactionTimeout)
	}
}

// age is the longer of the monotonic and the wall clock's: one of them stops while a machine sleeps.
func age(since time.Time) time.Duration {
	return max(time.Since(since), time.Now().Round(0).Sub(since.Round(0)))
}
