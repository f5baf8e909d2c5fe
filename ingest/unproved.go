package ingest

import (
	"net/http"
	"time"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// prove is the first stage of admission, in which everybody is a stranger. It ends with the whole body of a
// sender that every check has proved. Until then the request lives in the room, and what the head of the request
// can decide is decided before any body is read.
//
// Every name, whether there is such an endpoint or not, is refused alike: what a decoy may differ in from the
// endpoint it stands for (its limit, the state of its secrets) counts only for who is proved.
func (s *Server) prove(w http.ResponseWriter, r *http.Request, d *delivery, v *visitor) (body, outcome) {
	p := v.place
	e, token, ok := s.directory.find(r.URL.Path)
	if !ok {
		return body{}, notFound
	}
	d.endpoint = e
	request := auth.Request{
		Header: r.Header, Now: d.receivedAt, PathToken: token,
		Client: auth.ClientAddr(r.RemoteAddr, r.Header["X-Forwarded-For"], s.options.TrustedProxies),
	}
	switch {
	case !p.speakFor(sourceOf(request.Client)):
		return body{}, crowded
	case r.Method != http.MethodPost:
		return body{}, wrongMethod
	case s.phase.Load() == closed:
		return body{}, closing
	case p.noisy():
		makeWait(r, v)
		return body{}, noisy
	}
	if o := e.judgeHead(d, request); o != accepted {
		return body{}, o
	}
	b, o := s.readBody(w, r, d, p)
	if o != accepted {
		return b, o
	}
	d.size, request.Body = len(b.bytes), b.bytes
	return b, s.judgeBody(r, d, request)
}

// judgeBody decides about a body that is there, and then about what only a proved sender is told.
func (s *Server) judgeBody(r *http.Request, d *delivery, request auth.Request) outcome {
	o := d.endpoint.judgeBody(d, request)
	switch {
	case o != accepted:
		return o
	case int64(d.size) > d.endpoint.MaxBody:
		return oversize
	}
	return accepted
}

// noisyWait is how long a request of a source that has used up its failures waits for its refusal. A noisy one, with
// its few connections, can then do no more than a few dozen requests a second.
const noisyWait = 250 * time.Millisecond

// makeWait keeps a refusal back. It holds nothing but its place, and ends when that is lost.
func makeWait(r *http.Request, v *visitor) {
	v.turn.end()
	wait := time.NewTimer(noisyWait)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-v.place.gone:
	case <-r.Context().Done():
	}
}
