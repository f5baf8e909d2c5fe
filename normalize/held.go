package normalize

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
)

// ErrHeld: a transaction does not end, and readers at read_committed wait for it.
var ErrHeld = errors.New("readers wait for an open transaction")

// HeldPartition is a partition whose end readers at read_committed do not see.
type HeldPartition = record.HeldPartition

// holds remembers since when transactions are open. Every transaction holds its partitions while it lasts; one
// that lasts for longer than ours may hangs.
type holds struct {
	limit time.Duration

	mu   sync.Mutex
	open map[hold]time.Time
	hang []HeldPartition
}

// hold is a transaction in one partition.
type hold struct {
	topic     string
	partition int32
	stable    int64
}

// note takes a look, and returns what hangs since now.
func (h *holds) note(held []HeldPartition, now time.Time) (fresh []HeldPartition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	open := make(map[hold]time.Time, len(held))
	hung := make(map[hold]bool, len(h.hang))
	for _, p := range h.hang {
		hung[hold{p.Topic, p.Partition, p.Stable}] = true
	}
	h.hang = nil
	for _, p := range held {
		at := hold{p.Topic, p.Partition, p.Stable}
		since, ok := h.open[at]
		if !ok {
			since = now
		}
		open[at] = since
		if now.Sub(since) <= h.limit {
			continue
		}
		if h.hang = append(h.hang, p); !hung[at] {
			fresh = append(fresh, p)
		}
	}
	h.open = open
	return fresh
}

// heldNamed is how many partitions an error names.
const heldNamed = 10

// err names what hangs; nil: nothing.
func (h *holds) err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.hang) == 0 {
		return nil
	}
	var names []string
	for i, p := range h.hang {
		if i == heldNamed {
			names = append(names, fmt.Sprintf("and %d more", len(h.hang)-i))
			break
		}
		names = append(names, fmt.Sprintf("topic %s partition %d: %d records from offset %d on", p.Topic, p.Partition, p.Records, p.Stable))
	}
	return fmt.Errorf("%w: %s", ErrHeld, strings.Join(names, ", "))
}
