package simulate

import (
	"context"
	"regexp"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// passed are the raw records that every session passes over, as if they had never been there: gaps for a replay
// to fill. One that was polled before is not among them, since its claim would stand for a record whose turn is
// over.
type passed struct {
	mu      sync.Mutex
	reached map[int32]int64 // the offset after the last record that anybody polled
	first   map[int32]int64 // the offset of the first one that was not passed over
	over    map[int32]map[int64]bool
	count   int
}

func newPassed() *passed {
	return &passed{reached: map[int32]int64{}, first: map[int32]int64{}, over: map[int32]map[int64]bool{}}
}

// leave takes the records out that are passed over, choosing up to most new ones, and returns how many more may
// be chosen: those of which a copy comes later, and some others.
func (g *passed) leave(all []*kgo.Record, most int, copied func(*kgo.Record) bool) (kept []*kgo.Record, left int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range all {
		if most > 0 && r.Offset >= g.reached[r.Partition] && (r.Offset%8 == 0 || copied(r)) {
			if g.over[r.Partition] == nil {
				g.over[r.Partition] = map[int64]bool{}
			}
			g.over[r.Partition][r.Offset] = true
			most--
			g.count++
		}
		g.reached[r.Partition] = max(g.reached[r.Partition], r.Offset+1)
		if !g.over[r.Partition][r.Offset] {
			if _, ok := g.first[r.Partition]; !ok {
				g.first[r.Partition] = r.Offset
			}
			kept = append(kept, r)
		}
	}
	return kept, most
}

// disposed reports whether something of every partition was surely disposed of, given the group's offsets.
func (g *passed) disposed(committed map[int32]int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for p := range int32(partitions) {
		if first, ok := g.first[p]; !ok || committed[p] <= first {
			return false
		}
	}
	return true
}

// soon is how long a copy must at least be away to matter to a record that is passed over.
const soon = 20 * time.Second

// idText is a delivery's id where it stands in a raw record.
var idText = regexp.MustCompile(`"id":"(event-[0-9]+)"`)

// copied reports whether a copy of a raw record is still to come.
func (w *world) copied(r *kgo.Record) bool {
	found := idText.FindSubmatch(r.Value)
	return found != nil && w.plan.last[string(found[1])] > w.elapsed()+soon
}

// session is one that passes records over.
type session struct {
	*sink.Session
	world *world
	of    *process
}

// Poll implements the session of a slot.
func (s *session) Poll(ctx context.Context, most int) ([]*kgo.Record, error) {
	all, err := s.Session.Poll(ctx, most)
	if err != nil || len(all) == 0 {
		return all, err
	}
	s.of.mu.Lock()
	skip := s.of.skip
	s.of.mu.Unlock()
	kept, left := s.world.passed.leave(all, skip, s.world.copied)
	s.of.mu.Lock()
	s.of.skip = left
	s.of.mu.Unlock()
	if len(kept) > 0 {
		return kept, nil
	}
	_, err = s.Session.Commit(ctx, nil)
	return nil, err
}

// setOffsets kills every normaliser, and sets the group's offsets before they are back.
func (w *world) setOffsets(ctx context.Context) {
	for _, h := range w.hosts[:normalizers] {
		h.restAfter(15 * time.Second)
		if p := h.current(); p != nil {
			p.kill()
		}
	}
	w.later(ctx, 5*time.Second, func() {
		limited, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		w.undertaker.Bury(limited, normalize.DefaultGroup)
		at := kadm.Offsets{}
		ends, err := w.reader.Ends(limited, schemas.Raw)
		if err != nil {
			return
		}
		for p, end := range ends {
			if w.plan.back {
				end = 0
			}
			at.AddOffset(schemas.DefaultPrefix+schemas.Raw, p, end, -1)
		}
		err = kadm.NewClient(w.client).CommitAllOffsets(limited, normalize.DefaultGroup, at)
		w.trace.add("  offsets set (back: %t): %v", w.plan.back, err)
	})
}
