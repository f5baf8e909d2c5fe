// Package auth proves who sent a webhook: it holds the schemes that vendors use
// and the secrets they are checked against.
//
// It reads no clock (the time is an argument), does no I/O, and knows no vendor.
// It does not find secrets: the configuration does, and hands them in.
package auth

import (
	"errors"
	"net/http"
	"time"
)

// Why a delivery is not believed. All three are answered alike.
var (
	// ErrUnsigned: there is no proof.
	ErrUnsigned = errors.New("auth: no proof of the sender")
	// ErrMismatch: the proof does not fit the body, or cannot be read.
	ErrMismatch = errors.New("auth: the proof does not fit")
	// ErrStale: the proof fits, but outside its time.
	ErrStale = errors.New("auth: the proof is outside its time")
)

// Request is what a scheme looks at.
type Request struct {
	Header http.Header
	Body   []byte // the exact bytes that arrived
	Now    time.Time
}

// Scheme is one way to prove a sender.
type Scheme interface {
	// Verify returns the id of the secret that proves the request, or an error
	// that wraps ErrUnsigned, ErrMismatch or ErrStale and quotes neither header
	// nor secret. It tries every secret, whichever fits, and keeps nothing. It may
	// be called concurrently.
	Verify(secrets []Secret, r Request) (secretID string, err error)
	// Sign puts the proof for body into h, as the vendor would.
	Sign(s Secret, body []byte, h http.Header)
}

// wrapper is a scheme whose proof is around the body, not beside it.
type wrapper interface {
	Wrap(s Secret, body []byte) []byte
}

// loose is a scheme that may not bind the body: a password or token.
type loose interface {
	BindsBody() bool
}

// Deliver signs body as the vendor would and returns the bytes to post: body
// itself, or what a scheme with a method Wrap(Secret, []byte) []byte makes of it.
func Deliver(scheme Scheme, s Secret, body []byte, h http.Header) []byte {
	if w, ok := scheme.(wrapper); ok {
		body = w.Wrap(s, body)
	}
	scheme.Sign(s, body, h)
	return body
}

// BindsBody reports whether a changed body breaks the proof. True unless the
// scheme has a method BindsBody() bool that says no.
func BindsBody(scheme Scheme) bool {
	l, ok := scheme.(loose)
	return !ok || l.BindsBody()
}
