package ingest

import "sync/atomic"

// A gate bounds what all requests together may take: how many there are, and
// how many bytes of bodies are held. Bytes are counted as buffers are made,
// not as a sender announces them, so that announcing a lot and sending nothing
// locks nobody out. They stay counted until the raw log releases the body, which
// may be after the answer.
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
