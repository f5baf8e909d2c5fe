package ingest

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// How big the first buffer of a body is: as announced, which fits nearly every
// webhook, up to a limit, since the sender is not proved yet. A full buffer grows by
// a fixed factor, so memory follows what was really sent.
const (
	firstBuffer        = 8 << 10
	firstUnknownBuffer = 4 << 10
	growth             = 4
)

// The least rate of a body: so many bytes a second on average, after a start. A webhook is there with its header or
// one round trip later; only who wants to hold a place is slower.
const (
	bodyStart = 2 * time.Second
	bodyRate  = 1 << 10 // bytes per second
)

// A body is the request's bytes as they came. held is what it counts for in the
// room; it is set, and must be released, even when reading failed.
type body struct {
	bytes []byte
	held  int64
}

// readBody reads the whole body once, unless it is over the limit, too slow, or the place is lost. The outcome is
// accepted when all of it is there.
//
// The limit is the largest of all endpoints where the body is part of the proof, so that no name is told by its
// own. It is the endpoint's where the sender is proved already, or need not be.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, d *delivery, p *place) (body, outcome) {
	limit := s.largestBody
	if len(d.endpoint.bodyProofs) == 0 {
		limit = d.endpoint.MaxBody
	}
	if r.ContentLength > limit {
		return body{}, oversize
	}
	d.bodyRead = true
	// One byte more than can come: a buffer that is full has not seen the end.
	most, first := limit+1, int64(firstUnknownBuffer)
	if r.ContentLength >= 0 {
		most = r.ContentLength + 1
		first = firstBuffer
	}
	var b body
	if !b.grow(min(first, most), p) {
		return b, crowded
	}
	source, control := http.MaxBytesReader(w, r.Body, limit), http.NewResponseController(w)
	for {
		_ = control.SetReadDeadline(d.bodyDue(len(b.bytes))) // unsupported only in tests without a connection
		n, err := source.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case errors.Is(err, io.EOF) && r.ContentLength >= 0 && int64(len(b.bytes)) != r.ContentLength:
			return b, brokenBody
		case errors.Is(err, io.EOF):
			return b, accepted
		case err != nil && p.wasEvicted():
			return b, crowded
		case err != nil:
			return b, bodyOutcome(err)
		case len(b.bytes) < cap(b.bytes):
			continue
		case int64(cap(b.bytes)) >= most: // more than announced; net/http does not let this through
			return b, brokenBody
		case !b.grow(min(growth*int64(cap(b.bytes)), most), p):
			return b, crowded
		}
	}
}

// bodyDue is when more than received bytes of the body must be there. It is never later than the answer is due:
// every handler then ends within its budget, which a graceful shutdown waits for.
func (d *delivery) bodyDue(received int) time.Time {
	due := d.started.Add(bodyStart + time.Duration(received)*time.Second/bodyRate)
	if last := d.due(); last.Before(due) {
		return last
	}
	return due
}

// grow moves the body to a buffer of size bytes. Both buffers count while both
// are there.
func (b *body) grow(size int64, p *place) bool {
	if !p.hold(size) {
		return false
	}
	bigger := make([]byte, len(b.bytes), size)
	copy(bigger, b.bytes)
	b.bytes = bigger
	p.release(b.held)
	b.held = size
	return true
}

func bodyOutcome(err error) outcome {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return oversize
	case errors.Is(err, os.ErrDeadlineExceeded):
		return slowBody
	default:
		return brokenBody
	}
}
