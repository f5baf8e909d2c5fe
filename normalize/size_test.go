package normalize_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// slow is a session that can write only so many records of a batch within a transaction's time.
type slow struct {
	*sink.Session
	s *slowness
}

type slowness struct {
	mu    sync.Mutex
	most  int // 0: all are written
	sizes []int
}

func (s slow) Commit(ctx context.Context, out []record.Outgoing) (bool, error) {
	n := 0
	for _, o := range out {
		if o.Topic == schemas.DispositionTopic {
			n++
		}
	}
	s.s.mu.Lock()
	tooMany := s.s.most > 0 && n > s.s.most
	s.s.sizes = append(s.s.sizes, n)
	s.s.mu.Unlock()
	if tooMany {
		return false, fmt.Errorf("no outcome within the transaction's time: %w", context.DeadlineExceeded)
	}
	return s.Session.Commit(ctx, out)
}

func (s *slowness) let(most int) (sizes []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sizes, s.sizes, s.most = s.sizes, nil, most
	return sizes
}

// A batch that cannot be written within a transaction's time is tried again in halves, and batches grow again
// once they are written quickly.
func TestBatchesHalveUntilTheyCanBeWritten(t *testing.T) {
	w := newWorld(t, 1)
	var want []string
	send := func(n int) {
		for range n {
			s := said{Subject: "s", ID: fmt.Sprint(len(want)), Text: "x"}
			w.send(0, s)
			want = append(want, s.ID+"/x")
		}
	}
	send(20)
	s := &slowness{most: 2}
	w.start(0, func(o *normalize.Options) {
		o.Batch = 16
		o.Sessions = normalizetest.Wrap(o.Sessions, func(slot *normalize.Slot) {
			slot.Session = slow{slot.Session.(*sink.Session), s}
		})
	})
	w.settle()
	sizes := s.let(0)
	if sizes[0] <= 2 {
		t.Fatalf("the first batch had %d records: this test says nothing", sizes[0])
	}
	for i, n := range sizes[1:] {
		if before := sizes[i]; before > 2 && n > before/2 {
			t.Errorf("a batch of %d records after one of %d that ran out of time, expected half of it", n, before)
		}
	}
	send(200)
	w.settle()
	if grown := s.let(0); grown[len(grown)-1] <= 2 && grown[len(grown)-2] <= 2 {
		t.Errorf("batches of %v records: they never grew again", grown)
	}
	w.expectEvents(want...)
	w.audit()
}
