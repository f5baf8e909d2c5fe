package sink

import (
	"context"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ownership turns the library's callbacks into "these came, these went". The
// transactional session reports only the first revocation between two ends of a
// transaction, so a partition can come back without having been reported as
// gone; ownership then reports both, in that order.
type ownership struct {
	topic      string
	came, went func([]int32)

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

func (w *ownership) assigned(_ context.Context, _ *kgo.Client, added map[string][]int32) {
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

func (w *ownership) gone(_ context.Context, _ *kgo.Client, removed map[string][]int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	went := slices.Sorted(slices.Values(removed[w.topic]))
	for _, p := range went {
		delete(w.owned, p)
	}
	if len(went) > 0 {
		w.went(went)
	}
}
