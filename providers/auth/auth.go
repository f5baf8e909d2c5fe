// Package auth proves who sent a webhook: it holds the schemes that vendors use
// and the secrets they are checked against.
//
// It reads no clock (the time is an argument), does no I/O, and knows no vendor.
// It does not find secrets or keys: the configuration does, and hands them in.
package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"
)

// Why a delivery is not believed. The first three are answered alike.
var (
	// ErrUnsigned: there is no proof.
	ErrUnsigned = errors.New("auth: no proof of the sender")
	// ErrMismatch: the proof does not fit the body, or cannot be read.
	ErrMismatch = errors.New("auth: the proof does not fit")
	// ErrStale: the proof fits, but outside its time.
	ErrStale = errors.New("auth: the proof is outside its time")
	// ErrForbidden: the sender's address is not one of those allowed.
	ErrForbidden = errors.New("auth: the sender's address is not allowed")
	// ErrUndecided: what it takes to judge is not there at the moment. The sender
	// may be right, so it must be asked to come again.
	ErrUndecided = errors.New("auth: cannot be decided now")
)

// Request is what a scheme signs and verifies.
type Request struct {
	Header    http.Header // not nil where it is signed
	Body      []byte      // the exact bytes
	Now       time.Time   // when it is signed, or when it arrived
	PathToken string      // what follows the endpoint's name in the path; "" where nothing does
	Client    netip.Addr  // who sent it, see ClientAddr
}

// Scheme is one way to prove a sender.
type Scheme interface {
	// Verify returns the id of the secret that proves the request, or an error
	// that wraps one of the errors above and quotes neither header nor secret. It
	// tries every secret, whichever fits, and keeps nothing. It may be called
	// concurrently.
	Verify(secrets []Secret, r Request) (secretID string, err error)
	// Sign puts the proof into r as the vendor would: into a header, around the
	// body or at the end of the address. A zero Secret gives a delivery its form, which
	// is what a vendor's package reads, and no proof.
	Sign(s Secret, r *Request)
	// Traits is everything else there is to know about the scheme.
	Traits() Traits
}

// one reads a header that must be there once. Two are refused: which of them a
// proxy or a library would look at is anybody's guess.
func one(h http.Header, name string) (string, error) {
	values := h.Values(name)
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", fmt.Errorf("%w: header %s is missing or empty", ErrUnsigned, name)
	case len(values) > 1:
		return "", fmt.Errorf("%w: header %s is there %d times, want once", ErrMismatch, name, len(values))
	}
	return values[0], nil
}

// try asks fits about every secret, live or not, so that its duration tells
// nothing about which one it was.
func try(secrets []Secret, now time.Time, what place, fits func(*key) bool) (string, error) {
	id, stale := "", ""
	for _, s := range secrets {
		if s.key == nil {
			continue // a zero Secret: an empty key would prove anybody
		}
		ok, live := fits(s.key()), s.live(now)
		if ok && live && id == "" {
			id = s.ID
		}
		if ok && !live {
			stale = s.ID
		}
	}
	switch {
	case id != "":
		return id, nil
	case stale != "":
		return "", fmt.Errorf("%w: secret %q is not yet or no longer valid", ErrStale, stale)
	}
	return "", misfit{what, len(secrets)}
}

// place is where a proof was found: a header of that name, or what a phrase says.
type place struct{ header, phrase string }

// misfit is an ErrMismatch that is put into words only where somebody reads them: anybody may send
// forged requests, and nobody is told more than that they are refused.
type misfit struct {
	place
	secrets int
}

func (m misfit) Unwrap() error { return ErrMismatch }

func (m misfit) Error() string {
	what := m.phrase
	if m.header != "" {
		what = "header " + m.header
	}
	return fmt.Sprintf("%v: %s fits none of %d secrets", ErrMismatch, what, m.secrets)
}
