package ingest

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
)

// keep is the second stage of admission: the sender is proved, so it is told 503 where there is no room, and comes
// again. The delivery goes to the raw log, and is answered when that has it.
func (s *Server) keep(r *http.Request, d *delivery, b body) outcome {
	if !d.endpoint.quota.open(time.Now()) {
		return overQuota
	}
	if !s.gate.enter() {
		return overloaded
	}
	defer s.gate.leave()
	if !s.gate.hold(b.held) {
		return bodiesFull
	}
	d.endpoint.quota.take(d.endpoint.Provider.Limits.Work(b.bytes))
	return d.wait(s.store(r, d, b), d.due())
}

// store hands the delivery to the raw log. The body's bytes stay counted until the log
// releases them, however long ago the request was answered.
func (s *Server) store(r *http.Request, d *delivery, b body) <-chan error {
	envelope, key := d.endpoint.seal(r, d, b.bytes)
	acked := make(chan error, 1)
	var called atomic.Bool
	done := func(err error) {
		if called.Swap(true) {
			return
		}
		s.gate.release(b.held)
		acked <- err
	}
	value, err := contract.Marshal(envelope)
	if err != nil {
		done(err)
		return acked
	}
	s.options.Log.Append(key, value, []record.Header{traceHeader(d)}, done)
	return acked
}

// A gate bounds what all proved deliveries together may take until they are in the raw log: how many wait for
// their answers, and how many bytes of bodies are held, which may be for longer.
type gate struct {
	maxRequests, maxBytes int64
	requests, bytes       atomic.Int64
}

// enter takes a place among the requests, if one is free; leave gives it back.
func (g *gate) enter() bool {
	if g.requests.Add(1) > g.maxRequests {
		g.leave()
		return false
	}
	return true
}

func (g *gate) leave() { g.requests.Add(-1) }

// hold counts n bytes, if there is room for them; release gives them back.
func (g *gate) hold(n int64) bool {
	if g.bytes.Add(n) > g.maxBytes {
		g.release(n)
		return false
	}
	return true
}

func (g *gate) release(n int64) { g.bytes.Add(-n) }
