package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
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
	tell bool // named in the answer, and no reason to be unready
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
	h.parts = append(h.parts, part{name: name, away: away})
}

// follow gives a part that was there once another function. From then on the
// part is only named: whether its absence matters, the part that needs it says.
func (h *health) follow(name string, away func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts = slices.Clone(h.parts) // a request may be reading it
	for i := range h.parts {
		if h.parts[i].name == name {
			h.parts[i] = part{name, away, true}
		}
	}
}

// watchOnce adds a part that must have been there once, and is only named later.
func (h *health) watchOnce(name string, away func() error) {
	h.watch(name, func() error {
		err := away()
		if err == nil {
			h.follow(name, away)
		}
		return err
	})
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
		r.Away["process"], r.Ready = "draining", false
	}
	for _, p := range parts {
		if err := p.away(); err != nil {
			r.Away[p.name] = reasons(err)
			r.Ready = r.Ready && p.tell
		} else {
			r.Here = append(r.Here, p.name)
		}
	}
	return r
}

func (h *health) serveReady(w http.ResponseWriter, _ *http.Request) {
	r := h.state()
	w.Header().Set("Content-Type", "application/json")
	if !r.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // people read it, and no browser takes JSON for a page
	_ = e.Encode(r)
}

// reasons is an error on one line, each reason once: what is away is away for
// every slot of a stage.
func reasons(err error) string {
	var once []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(once, line) {
			once = append(once, line)
		}
	}
	return strings.Join(once, "; ")
}

// serveLive says only that the process answers. It asks neither Kafka nor
// Redis: restarting every process because a broker is away helps nobody.
func serveLive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("alive\n"))
}
