package normalize_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// rival stands for another worker that thinks partition 0 is its own, and undoes each repair of it.
type rival struct {
	*dedupe.Store
	world  *world
	gone   atomic.Bool
	undone atomic.Int64
}

func (r *rival) Exchange(ctx context.Context, round dedupe.Round) (dedupe.Reply, error) {
	for _, m := range round.Moves {
		if r.gone.Load() || !strings.HasSuffix(m.Watermark, ":0") || m.From[0] == "" {
			continue
		}
		r.undone.Add(1)
		for _, key := range r.world.Redis.Keys() {
			if strings.HasPrefix(key, m.Watermark) {
				r.world.Redis.Del(key)
			}
		}
	}
	return r.Store.Exchange(ctx, round)
}

// TestContendedPartitionIsSetAside: a partition that somebody else repairs is left alone, whatever comes
// on others, until a record of it is polled, and then it is repaired.
func TestContendedPartitionIsSetAside(t *testing.T) {
	w := newWorld(t, 2)
	other := &rival{Store: w.Store(), world: w}
	var all []said
	var want []string
	for n := range 20 {
		all = append(all, said{Subject: "s", ID: fmt.Sprint(n), Text: "x"})
		want = append(want, fmt.Sprintf("%d/x", n))
	}
	w.send(1, all...)
	w.start(0, func(o *normalize.Options) { o.Claims, o.Batch = other, 1 })
	w.settle()
	w.expectEvents(want...)
	if n := other.undone.Load(); n != 1 {
		t.Errorf("partition 0 was repaired %d times beside another worker; expected once, until a record of it is polled", n)
	}
	other.gone.Store(true)
	w.send(0, said{Subject: "t", ID: "late", Text: "x"})
	w.settle()
	w.expectEvents(append(want, "late/x")...)
	w.audit()
}

// marking notices marks that no batch carried.
type marking struct {
	*dedupe.Store
	alone atomic.Int64
}

func (m *marking) Exchange(ctx context.Context, round dedupe.Round) (dedupe.Reply, error) {
	reply, err := m.Store.Exchange(ctx, round)
	if err == nil && len(round.Claims) == 0 {
		m.alone.Add(int64(len(round.Marks)))
	}
	return reply, err
}

// TestMarksWaitForNoBatch: the marks of the last batch are written although no other comes.
func TestMarksWaitForNoBatch(t *testing.T) {
	w := newWorld(t, 1)
	store := &marking{Store: w.Store()}
	w.start(0, func(o *normalize.Options) { o.Claims = store })
	w.send(0, said{Subject: "s", ID: "last", Text: "x"})
	w.Await("the mark of the last delivery is written", func() bool { return store.alone.Load() == 1 })
}
