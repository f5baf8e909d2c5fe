package ingest

import (
	"net/http"
	"strconv"
)

// An outcome is what became of one request. Its name is the metric's label.
type outcome uint8

const (
	accepted        outcome = iota // the raw log has it
	notFound                       // not under /hooks/
	unknownEndpoint                // under /hooks/, but no such endpoint
	unsigned                       // nothing there to verify
	mismatch                       // verified with no secret
	stale                          // the signed time is out of the window
	forbidden                      // the sender's address is not allowed
	undecided                      // we could not verify, which is our fault
	wrongMethod                    // not POST
	oversize                       // the body is over the endpoint's limit
	brokenBody                     // the body ended early or its framing is wrong
	slowBody                       // the body was not there in time
	crowded                        // its place went to another before it was proved
	noisy                          // its source failed too often lately
	overloaded                     // proved, but too many such requests at a time
	bodiesFull                     // proved, but too many bytes at a time
	overQuota                      // proved, but its endpoint has brought too much work lately
	refused                        // the raw log said no: buffer full, Kafka away, closing
	unacked                        // the raw log said nothing in time
	closing                        // the process is going away
	outcomes                       // how many there are
)

// An answer is what one outcome looks like from outside. Bodies are constant:
// they tell a stranger nothing about what was found.
type answer struct {
	label  string
	status int
	body   string
	extra  [2]string // one more header: name and value
}

var (
	tryAgain = [2]string{"Retry-After", "5"} // the default of Options.RetryAfter
	onlyPost = [2]string{"Allow", http.MethodPost}
	prove    = [2]string{"WWW-Authenticate", `Webhook realm="hooks"`}
)

// answers is the one table of status codes. Four rules stand behind it: a
// fault of ours or of the way here is 503, because some senders never retry a 4xx;
// 429 is for those alone who are not proved; all that a stranger may learn about an
// endpoint is 401, whether it exists or not, or 403 about its own address; and never
// 3xx or 410, which make senders go away for good.
//
// What an authenticated sender says is no outcome here: a body that nobody can
// parse, of whatever media type and encoding, is accepted like any other, and becomes
// a dead letter later. What is left of 4xx for it is 413, for what no record could
// hold, and 405.
var answers = [outcomes]answer{
	accepted:        {"accepted", http.StatusOK, "", [2]string{}}, // or the vendor's own success code
	notFound:        {"not_found", http.StatusNotFound, "not found\n", [2]string{}},
	unknownEndpoint: {"unknown_endpoint", http.StatusUnauthorized, "unauthorized\n", prove},
	unsigned:        {"unsigned", http.StatusUnauthorized, "unauthorized\n", prove},
	mismatch:        {"mismatch", http.StatusUnauthorized, "unauthorized\n", prove},
	stale:           {"stale", http.StatusUnauthorized, "unauthorized\n", prove},
	forbidden:       {"forbidden", http.StatusForbidden, "forbidden\n", [2]string{}},
	undecided:       {"undecided", http.StatusServiceUnavailable, "try again later\n", tryAgain},
	wrongMethod:     {"wrong_method", http.StatusMethodNotAllowed, "method not allowed\n", onlyPost},
	oversize:        {"oversize", http.StatusRequestEntityTooLarge, "body too large\n", [2]string{}},
	brokenBody:      {"broken_body", http.StatusServiceUnavailable, "try again later\n", tryAgain},
	slowBody:        {"slow_body", http.StatusServiceUnavailable, "try again later\n", tryAgain},
	crowded:         {"crowded", http.StatusTooManyRequests, "try again later\n", tryAgain},
	noisy:           {"noisy", http.StatusTooManyRequests, "try again later\n", tryAgain},
	overloaded:      {"overloaded", http.StatusServiceUnavailable, "try again later\n", tryAgain},
	bodiesFull:      {"bodies_full", http.StatusServiceUnavailable, "try again later\n", tryAgain},
	overQuota:       {"over_quota", http.StatusServiceUnavailable, "try again later\n", tryAgain},
	refused:         {"refused", http.StatusServiceUnavailable, "try again later\n", tryAgain},
	unacked:         {"unacked", http.StatusServiceUnavailable, "try again later\n", tryAgain},
	closing:         {"closing", http.StatusServiceUnavailable, "try again later\n", tryAgain},
}

func (o outcome) String() string { return answers[o].label }

// strange reports whether the outcome of a request that is not proved speaks against its source. That a place was
// lost is counted where it is lost.
func (o outcome) strange() bool {
	switch o {
	case undecided, closing, crowded, noisy:
		return false
	}
	return o != accepted
}

// write sends the answer; success replaces the status of accepted, retryAfter is
// in seconds.
func (o outcome) write(w http.ResponseWriter, success int, retryAfter string) int {
	a := answers[o]
	if o == accepted {
		w.WriteHeader(success)
		return success
	}
	h := w.Header()
	switch {
	case a.extra == tryAgain:
		h.Set("Retry-After", retryAfter)
	case a.extra[0] != "":
		h.Set(a.extra[0], a.extra[1])
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write([]byte(a.body)) // a sender that went away is no concern of ours
	return a.status
}
