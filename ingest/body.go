package ingest

import (
	"errors"
	"io"
	"net/http"
	"os"
)

// How big the first buffer of a body is: as announced, which fits nearly every
// webhook, up to a limit, since the sender is not proved yet. A full buffer grows by
// a fixed factor, so memory follows what was really sent. Those who send nothing
// reach the request limit before the byte limit (DefaultMaxRequests * firstBuffer <
// DefaultMaxWaitingBytes).
const (
	firstBuffer        = 8 << 10
	firstUnknownBuffer = 4 << 10
	growth             = 4
)

// A body is the request's bytes as they came. held is what the gate counts for
// it; it is set, and must be released, even when reading failed.
type body struct {
	bytes []byte
	held  int64
}

// readBody reads the whole body once, unless it is over limit bytes or the gate
// has no room. The outcome is accepted when all of it is there.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, g *gate) (body, outcome) {
	if r.ContentLength > limit {
		return body{}, oversize
	}
	// One byte more than can come: a buffer that is full has not seen the end.
	most, first := limit+1, int64(firstUnknownBuffer)
	if r.ContentLength >= 0 {
		most = r.ContentLength + 1
		first = firstBuffer
	}
	var b body
	if !b.grow(min(first, most), g) {
		return b, bodiesFull
	}
	source := http.MaxBytesReader(w, r.Body, limit)
	for {
		n, err := source.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case errors.Is(err, io.EOF) && r.ContentLength >= 0 && int64(len(b.bytes)) != r.ContentLength:
			return b, brokenBody
		case errors.Is(err, io.EOF):
			return b, accepted
		case err != nil:
			return b, bodyOutcome(err)
		case len(b.bytes) < cap(b.bytes):
			continue
		case int64(cap(b.bytes)) >= most: // more than announced; net/http does not let this through
			return b, brokenBody
		case !b.grow(min(growth*int64(cap(b.bytes)), most), g):
			return b, bodiesFull
		}
	}
}

// grow moves the body to a buffer of size bytes. Both buffers count while both
// are there.
func (b *body) grow(size int64, g *gate) bool {
	if !g.hold(size) {
		return false
	}
	bigger := make([]byte, len(b.bytes), size)
	copy(bigger, b.bytes)
	b.bytes = bigger
	g.release(b.held)
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
