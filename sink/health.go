package sink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// probeEvery is how often Kafka is asked while the last outcome was a failure.
const probeEvery = time.Second

// idleProbeEvery is how often Kafka is asked while all is well.
const idleProbeEvery = 5 * time.Second

// health keeps what the last outcomes say about Kafka. An outcome that says
// something about the record and not about Kafka does not count.
type health struct {
	patience time.Duration // without any acknowledgement before Kafka counts as down

	mu      sync.Mutex
	last    error
	waiting int       // records handed over and not settled
	since   time.Time // of the last acknowledgement, or of the first record waiting
	wake    chan struct{}
}

func newHealth(patience time.Duration) *health {
	return &health{patience: patience, wake: make(chan struct{}, 1)}
}

// sent notes a record on its way.
func (h *health) sent() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting == 0 {
		h.since = time.Now()
	}
	h.waiting++
}

// settled notes a record's outcome.
func (h *health) settled(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting--
	switch {
	case err == nil:
		h.last = nil
		h.since = time.Now()
	case errors.Is(err, ErrTooLarge):
	default:
		h.last = err
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
}

// down is why Kafka counts as down.
func (h *health) down() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last != nil {
		return h.last
	}
	if silence := time.Since(h.since); h.waiting > 0 && silence > h.patience {
		return fmt.Errorf("%w: %d records wait and none was acknowledged for %s", ErrUnavailable, h.waiting, silence.Round(time.Second))
	}
	return nil
}

// clear takes back a failure that a later probe disproved.
func (h *health) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = nil
}

// run probes once a second from each failure until a probe succeeds or an
// acknowledgement comes, and every few seconds otherwise: without deliveries
// nothing else would notice that Kafka went down.
func (h *health) run(ctx context.Context, probe func(context.Context) error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		case <-time.After(idleProbeEvery):
			if err := limited(ctx, probe); err != nil && ctx.Err() == nil {
				h.fail(err)
			}
		}
		for h.failed() {
			if !pause(ctx, probeEvery) {
				return
			}
			if limited(ctx, probe) == nil {
				h.clear()
			}
		}
	}
}

func limited(ctx context.Context, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	return probe(ctx)
}

// fail notes what a probe found.
func (h *health) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = err
}

func (h *health) failed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last != nil
}

// pause waits d and reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
