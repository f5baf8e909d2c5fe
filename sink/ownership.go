package sink

import (
	"context"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ownership turns the library's callbacks into "these came, these went". The
// transactional session reports only the first revocation between two ends of a
// transaction, so the callbacks alone leave a slot believing in partitions that
// another one works on. What goes is therefore also seen where it cannot be
// missed: in the assignment of each generation of the group (see watched).
type ownership struct {
	topic      string
	came, went func([]int32)
	// before runs before partitions that came are read; nil: nothing does.
	before func(context.Context, *kgo.Client)

	mu    sync.Mutex
	owned map[int32]bool
}

func newOwnership(topic string, so SessionOptions) *ownership {
	none := func([]int32) {}
	w := &ownership{topic: topic, came: so.OnAssigned, went: so.OnRevoked, owned: map[int32]bool{}}
	if w.came == nil {
		w.came = none
	}
	if w.went == nil {
		w.went = none
	}
	return w
}

func (w *ownership) assigned(ctx context.Context, client *kgo.Client, added map[string][]int32) {
	if w.before != nil && len(added[w.topic]) > 0 {
		w.before(ctx, client)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	came := slices.Sorted(slices.Values(added[w.topic]))
	var stale []int32
	for _, p := range came {
		if w.owned[p] {
			stale = append(stale, p)
		}
		w.owned[p] = true
	}
	if len(stale) > 0 {
		w.went(stale)
	}
	w.came(came) // also when nothing came: the group has been joined
}

// holds takes everything this member has in a new generation of the group.
func (w *ownership) holds(parts []int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var went []int32
	for p := range w.owned {
		if !slices.Contains(parts, p) {
			went = append(went, p)
		}
	}
	w.leave(went)
}

// owns reports whether a partition is this member's.
func (w *ownership) owns(partition int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.owned[partition]
}

func (w *ownership) gone(_ context.Context, _ *kgo.Client, removed map[string][]int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leave(removed[w.topic])
}

// leave reports those of parts that were not reported yet. The lock is held.
func (w *ownership) leave(parts []int32) {
	var went []int32
	for _, p := range slices.Sorted(slices.Values(parts)) {
		if w.owned[p] {
			delete(w.owned, p)
			went = append(went, p)
		}
	}
	if len(went) > 0 {
		w.went(went)
	}
}

// watched is a balancer that shows ownership each assignment.
type watched struct {
	kgo.GroupBalancer
	watch *ownership
}

// ParseSyncAssignment is called once for each generation of the group.
func (b watched) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	assigned, err := b.GroupBalancer.ParseSyncAssignment(assignment)
	if err == nil {
		b.watch.holds(assigned[b.watch.topic])
	}
	return assigned, err
}
