package ingest

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// deliveryIDHeader is in every answer: it leads from a vendor's log to ours, and
// its presence says nothing about the sender.
const deliveryIDHeader = "Kycbridge-Delivery-Id"

// serveHTTP takes one delivery, in this order:
//
//	route, endpoint    a name nobody configured goes on with a decoy
//	head               method, address, and every check that needs no body
//	body               the whole of it, once, up to a limit, at a least rate
//	verify             over those bytes, every other check, with every live secret
//	                   (up to here, room.go bounds what strangers may hold: 429)
//	gate               503 at once when too many proved deliveries wait for the raw log
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
	s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	v, leave := s.visitor(r)
	defer leave()
	v.begin()
	defer v.end()
	whole := streamOf(r)
	defer whole.next()
	o := s.take(w, r, &d, v)
	h := w.Header()
	h[deliveryIDHeader] = []string{d.idText}
	// A second request may hide behind the end of this one, a body that nobody read stands before the next
	// request, and a process about to go away wants no more requests on this connection.
	if whole.lastOf(r) || r.ContentLength > 0 && !d.bodyRead || s.phase.Load() >= draining {
		h["Connection"] = []string{"close"}
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
func (s *Server) take(w http.ResponseWriter, r *http.Request, d *delivery, v *visitor) outcome {
	p := v.place
	b, o := s.prove(w, r, d, v)
	switch {
	case o == accepted && len(d.secretIDs) > 0:
		v.prove()
	case o == accepted: // anybody may send here
		v.turn.end()
		p.leave()
	default:
		p.release(b.held)
		if o.strange() && len(d.secretIDs) == 0 {
			p.fail()
			if p.failing() {
				makeWait(r, v)
			}
		}
		return o
	}
	return s.keep(r, d, b)
}

// visitor is the connection of a request. Without one, as in tests, the request is a visitor of its own.
func (s *Server) visitor(r *http.Request) (v *visitor, leave func()) {
	if v, _ := r.Context().Value(visitorKey{}).(*visitor); v != nil {
		return v, func() {}
	}
	v = &visitor{}
	v.place, _ = s.room.enter(sourceOf(auth.ClientAddr(r.RemoteAddr, nil, nil)), false, v.evict)
	return v, v.place.leave
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

// newID returns a UUID version 7.
func newID() uuid.UUID {
	return uuid.Must(uuid.NewV7()) // fails only if crypto/rand could, which ends the process instead
}
