package normalize_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// refusing counts the rounds that a store refuses, and how many of them began while the process called itself
// ready, the first aside.
type refusing struct {
	*dedupe.Store
	ready func() error

	mu      sync.Mutex
	full    bool // rounds are refused, trials are not
	refused int
	falsely int
}

func (r *refusing) Exchange(ctx context.Context, round dedupe.Round) (dedupe.Reply, error) {
	r.mu.Lock()
	full, ask := r.full, r.ready
	r.mu.Unlock()
	var ready error
	if ask != nil {
		ready = ask()
	}
	err := fmt.Errorf("%w: OOM command not allowed when used memory > 'maxmemory'", dedupe.ErrUnavailable)
	var reply dedupe.Reply
	if !full {
		reply, err = r.Store.Exchange(ctx, round)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !errors.Is(err, dedupe.ErrUnavailable) {
		return reply, err
	}
	if r.refused++; r.refused > 1 && ready == nil {
		r.falsely++
	}
	return reply, err
}

func (r *refusing) setFull(full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.full = full
}

// counts are how many rounds were refused, and how many of them of a ready process.
func (r *refusing) counts() (refused, falsely int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused, r.falsely
}

// TestRefusedRoundsAreTheTrial: a server that takes trial writes and refuses rounds is away. Rounds are tried with
// growing pauses, the process is not ready, events go out without it when it is time, and the first round that
// is taken ends it.
func TestRefusedRoundsAreTheTrial(t *testing.T) {
	for _, fault := range []struct {
		name, says string
		begin, end func(t *testing.T, addr string, s *refusing)
	}{
		{
			"scripts are denied", "NOPERM",
			func(t *testing.T, addr string, _ *refusing) { normalizetest.Tell(t, addr, "ACL SETUSER default -eval") },
			func(t *testing.T, addr string, _ *refusing) { normalizetest.Tell(t, addr, "ACL SETUSER default +eval") },
		},
		{
			"memory is exhausted", "OOM",
			func(t *testing.T, addr string, _ *refusing) { normalizetest.Tell(t, addr, "CONFIG SET maxmemory 1") },
			func(t *testing.T, addr string, _ *refusing) { normalizetest.Tell(t, addr, "CONFIG SET maxmemory 0") },
		},
		{
			"memory is short for batches alone", "OOM",
			func(_ *testing.T, _ string, s *refusing) { s.setFull(true) },
			func(_ *testing.T, _ string, s *refusing) { s.setFull(false) },
		},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			addr := normalizetest.StartRedis(t)
			w := newWorld(t, 1)
			s := &refusing{Store: normalizetest.StoreAt(t, addr)}
			p := w.start(0, func(o *normalize.Options) {
				o.Claims, o.Health, o.FailOpenAfter = s, s.Store, 1500*time.Millisecond
			})
			w.send(0, said{Subject: "s", ID: "1", Text: "x"})
			w.settle()
			w.Await("the normaliser is ready", func() bool { return p.n.Ready() == nil })
			s.mu.Lock()
			s.ready = p.n.Ready
			s.mu.Unlock()
			fault.begin(t, addr, s)
			w.send(0, said{Subject: "s", ID: "2", Text: "x"})
			w.Await("readiness says why, and where", func() bool {
				err := p.n.Ready()
				return err != nil && strings.Contains(err.Error(), fault.says) && strings.Contains(err.Error(), "topic kyc.raw.v1, partition(s) [0]")
			})
			w.settle() // it opens
			if n, falsely := s.counts(); n > 20 || falsely > 0 {
				t.Errorf("%d rounds were refused until it opened, %d of them of a process that was ready; expected growing pauses and none", n, falsely)
			}
			fault.end(t, addr, s)
			w.Await("the normaliser is ready again", func() bool { return p.n.Ready() == nil })
			w.send(0, said{Subject: "s", ID: "1", Text: "x"}, said{Subject: "s", ID: "2", Text: "x"}, said{Subject: "s", ID: "3", Text: "x"})
			w.settle()
			w.expectEvents("1/x", "2/x", "3/x")
			w.audit()
			for _, e := range normalizetest.Decode(t, w.Read(schemas.Session), func() *kycv1.SessionEvent { return &kycv1.SessionEvent{} }) {
				if flagged := slices.Contains(e.GetMetadata().GetFlags(), "dedupe=unverified"); flagged != (e.GetVendorStatus() == "2/x") {
					t.Errorf("event %s has flags %v; only what was published without redis is unverified", e.GetVendorStatus(), e.GetMetadata().GetFlags())
				}
			}
		})
	}
}

// TestRefusedRepairsAreTheTrial: the same where the first rounds of a slot are those of its repairs.
func TestRefusedRepairsAreTheTrial(t *testing.T) {
	addr := normalizetest.StartRedis(t)
	normalizetest.Tell(t, addr, "ACL SETUSER default -eval")
	w := newWorld(t, 2)
	s := &refusing{Store: normalizetest.StoreAt(t, addr)}
	p := w.start(0, func(o *normalize.Options) { o.Claims, o.FailOpenAfter = s, 1500*time.Millisecond })
	w.send(0, said{Subject: "s", ID: "1", Text: "x"})
	w.settle() // it opens
	if n, _ := s.counts(); n > 20 {
		t.Errorf("%d rounds were refused until it opened, expected growing pauses", n)
	}
	normalizetest.Tell(t, addr, "ACL SETUSER default +eval")
	w.Await("the normaliser is ready", func() bool { return p.n.Ready() == nil })
	w.send(0, said{Subject: "s", ID: "1", Text: "x"})
	w.settle()
	w.expectEvents("1/x")
	w.audit()
}
