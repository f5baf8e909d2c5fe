package ingest

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/providers/auth"
)

// deliveryIDHeader is in every answer: it leads from a vendor's log to ours, and
// its presence says nothing about the sender.
const deliveryIDHeader = "Kycbridge-Delivery-Id"

// serveHTTP takes one delivery, in this order:
//
//	route, endpoint    a name nobody configured goes on with a decoy
//	admission          503 at once when there are too many requests or bytes
//	read               the whole body, once, up to the endpoint's limit
//	verify             over those bytes, every check, with every live secret
//	seal               those bytes into an envelope, the vendor's id into its key
//	append             to the raw log, which calls back when it is durable
//	answer             the success code if it called back in time, else 503
//
// Nothing leaves the process before append, so a crash up to there leaves
// nothing behind and the vendor, unanswered, sends again. After append, the raw
// log may have the delivery although the vendor was told nothing or 503; its
// next attempt is then a duplicate, and dropped as one.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	id := newID()
	d := delivery{id: id, idText: id.String(), receivedAt: s.options.Now(), started: time.Now()}
	h := w.Header()
	h[deliveryIDHeader] = []string{d.idText}
	// A chunked request may hide a second one behind its end, and a process
	// about to go away wants no more requests on this connection.
	if len(r.TransferEncoding) > 0 || s.phase.Load() >= draining {
		h["Connection"] = []string{"close"}
	}
	var o outcome
	if s.gate.enter() {
		defer s.gate.leave()
		o = s.take(w, r, &d)
	} else {
		d.endpoint, _, _ = s.directory.find(r.URL.Path)
		o = overloaded
	}
	success := http.StatusOK
	if d.endpoint != nil {
		success = d.endpoint.success
	}
	status := o.write(w, success, s.retryAfter)
	s.metrics.count(&d, o)
	s.note(&d, o, status)
}

// take does the steps up to the answer.
func (s *Server) take(w http.ResponseWriter, r *http.Request, d *delivery) outcome {
	e, token, ok := s.directory.find(r.URL.Path)
	if !ok {
		return notFound
	}
	d.endpoint = e
	switch {
	case r.Method != http.MethodPost:
		return wrongMethod
	case s.phase.Load() == closed:
		return closing
	case !plain(r.Header["Content-Encoding"]):
		return encoded
	}
	due := d.started.Add(e.budget)
	limitRead(w, due, e.budget < s.options.ReadTimeout)
	b, o := readBody(w, r, e.MaxBody, &s.gate)
	d.size = len(b.bytes)
	if o == accepted {
		d.secretIDs, o = e.verify(auth.Request{
			Header: r.Header, Body: b.bytes, Now: d.receivedAt, PathToken: token,
			Client: auth.ClientAddr(r.RemoteAddr, r.Header["X-Forwarded-For"], s.options.TrustedProxies),
		})
	}
	if o == accepted && !e.takes(r.Header.Get("Content-Type")) {
		o = wrongType
	}
	if o != accepted {
		s.gate.release(b.held)
		return o
	}
	acked := s.store(r, d, b)
	return d.wait(acked, due)
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

// wait gives the raw log until due. It does not look at the request: a sender
// that has gone away gets its delivery stored all the same.
func (d *delivery) wait(acked <-chan error, due time.Time) outcome {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case err := <-acked:
		return d.judge(err)
	case <-timer.C:
	}
	select {
	case err := <-acked: // both at once: the delivery is safe, so say so
		return d.judge(err)
	default:
		return unacked
	}
}

func (d *delivery) judge(err error) outcome {
	if err != nil {
		d.failure = err
		return refused
	}
	return accepted
}

// limitRead stops reading a body when its answer is due: every handler then ends
// within its budget, which a graceful shutdown waits for.
func limitRead(w http.ResponseWriter, due time.Time, sooner bool) {
	if sooner {
		_ = http.NewResponseController(w).SetReadDeadline(due) // unsupported only in tests without a connection
	}
}

// plain reports whether the body is sent as it is. No vendor compresses, and a
// kilobyte of gzip can be a megabyte of zeros.
func plain(encodings []string) bool {
	return len(encodings) == 0 || len(encodings) == 1 && (encodings[0] == "" || encodings[0] == "identity")
}

// newID returns a UUID version 7.
func newID() uuid.UUID {
	return uuid.Must(uuid.NewV7()) // fails only if crypto/rand could, which ends the process instead
}
