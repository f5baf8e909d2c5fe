package serve

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// health answers /livez and /readyz. Each part it watches says why it is down,
// or nil; such a function must answer at once, from what it already knows.
type health struct {
	mu       sync.Mutex
	parts    []part
	draining bool
}

type part struct {
	name     string
	down     func() error // why; nil while it is up
	advisory bool         // named in the answer, and no reason to be unready
}

// pending is a part that is down until set(nil).
type pending struct {
	mu  sync.Mutex
	err error
}

func (p *pending) set(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *pending) down() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (h *health) watch(name string, down func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts = append(h.parts, part{name: name, down: down})
}

// report replaces the function of a part that was up once. From then on the part is only
// named: the part that needs it decides whether its absence matters.
func (h *health) report(name string, down func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts = slices.Clone(h.parts) // a request may be reading it
	for i := range h.parts {
		if h.parts[i].name == name {
			h.parts[i] = part{name, down, true}
		}
	}
}

// mention adds a part that is only named when it is down.
func (h *health) mention(name string, down func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts = append(slices.Clone(h.parts), part{name, down, true})
}

// watchUntilUp adds a part that must have been up once, and is only named later.
func (h *health) watchUntilUp(name string, down func() error) {
	h.watch(name, func() error {
		err := down()
		if err == nil {
			h.report(name, down)
		}
		return err
	})
}

// expect watches a part that comes up later; its owner calls set(nil).
func (h *health) expect(name string, why error) *pending {
	p := &pending{err: why}
	h.watch(name, p.down)
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
	Up    []string          `json:"up,omitempty"`
	Down  map[string]string `json:"down,omitempty"`
}

func (h *health) state() readiness {
	h.mu.Lock()
	parts, draining := h.parts, h.draining
	h.mu.Unlock()
	r := readiness{Ready: true, Down: map[string]string{}}
	if draining {
		r.Down["process"], r.Ready = "draining", false
	}
	for _, p := range parts {
		if err := p.down(); err != nil {
			r.Down[p.name] = reasons(err)
			r.Ready = r.Ready && p.advisory
		} else {
			r.Up = append(r.Up, p.name)
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

// reasons is an error on one line, each reason once: what is down is down for
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
// Redis: restarting every process because a broker is down helps nobody.
func serveLive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("alive\n"))
}
