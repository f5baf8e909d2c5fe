package simulate

import (
	"context"
	"errors"
	"sync"
	"time"
)

// host keeps one process running, as an orchestrator does: what ends is started again.
type host struct {
	name  string
	start func() (*process, error)
	trace *trace

	mu    sync.Mutex
	now   *process
	pause time.Duration // before the next start
	other bool          // the next one has another pepper
}

// run returns when ctx has ended and the last process, too.
func (h *host) run(ctx context.Context) {
	for ctx.Err() == nil {
		p, err := h.start()
		if err != nil {
			h.trace.add("%s does not start: %v", h.name, err)
			wait(ctx, 5*time.Second)
			continue
		}
		h.set(p)
		<-p.over
		if p.err != nil && !errors.Is(p.err, errKilled) {
			h.trace.add("%s ended: %v", p.name, p.err)
		}
		wait(ctx, h.rest())
	}
}

func (h *host) set(p *process) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = p
}

// current is the process that runs, or the last one.
func (h *host) current() *process {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// restAfter sets how long the next restart takes.
func (h *host) restAfter(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pause = d
}

func (h *host) rest() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.pause
	h.pause = time.Second
	return d
}

// repepper has the next process start with another pepper.
func (h *host) repepper(other bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.other = other
}

func (h *host) nextPepper() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.other {
		h.other = false
		return wrongPepper
	}
	return pepper
}

// wait pauses, and reports whether ctx still lives.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
