package main

import (
	"encoding/json"
	"net/http"
	"sync"
)

// health answers /livez and /readyz. Each part it watches says why it is away,
// or nil; such a function must answer at once, from what it already knows.
type health struct {
	mu       sync.Mutex
	parts    []part
	draining bool
}

type part struct {
	name string
	away func() error
}

// pending is a part that is away until it is told otherwise.
type pending struct {
	mu  sync.Mutex
	err error
}

func (p *pending) set(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *pending) away() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (h *health) watch(name string, away func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts = append(h.parts, part{name, away})
}

// pend watches a part that becomes ready later; its owner calls set(nil).
func (h *health) pend(name string, why error) *pending {
	p := &pending{err: why}
	h.watch(name, p.away)
	return p
}

// drain turns /readyz to 503 for good: the process is on its way out.
func (h *health) drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

// readiness is the body of /readyz.
type readiness struct {
	Ready bool              `json:"ready"`
	Here  []string          `json:"here,omitempty"`
	Away  map[string]string `json:"away,omitempty"`
}

func (h *health) state() readiness {
	h.mu.Lock()
	parts, draining := h.parts, h.draining
	h.mu.Unlock()
	r := readiness{Ready: true, Away: map[string]string{}}
	if draining {
		r.Away["process"] = "draining"
	}
	for _, p := range parts {
		if err := p.away(); err != nil {
			r.Away[p.name] = oneLine(err)
		} else {
			r.Here = append(r.Here, p.name)
		}
	}
	r.Ready = len(r.Away) == 0
	return r
}

func (h *health) serveReady(w http.ResponseWriter, _ *http.Request) {
	r := h.state()
	w.Header().Set("Content-Type", "application/json")
	if !r.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(r)
}

// serveLive says only that the process answers. It asks neither Kafka nor
// Redis: restarting every process because a broker is away helps nobody.
func serveLive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("alive\n"))
}
