package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/kycbridge/kycbridge/internal/secret"
)

// MinSecret is the length in bytes below which a secret is refused. An empty key
// would sign and verify happily.
const MinSecret = 16

// Secret is one live secret of an endpoint: what a secret.Value reveals, under a name
// and for a time, with all that checking needs of it at hand. The value leaves this
// package in no form: printing, logging and encoding show the mask. It is behind a
// function for the same reason as there.
type Secret struct {
	ID  string
	key func() *key
}

type key struct {
	value     []byte
	sum       [sha256.Size]byte // of value
	notBefore time.Time
	notAfter  time.Time
	signers   sync.Pool // of *signer, under this key
}

// NewSecret checks and copies a secret. id names it in metrics and envelopes. A
// zero notBefore or notAfter is no limit.
func NewSecret(id string, value []byte, notBefore, notAfter time.Time) (Secret, error) {
	switch {
	case id == "":
		return Secret{}, fmt.Errorf("auth: a secret has no id; give each secret of an endpoint a name of its own")
	case len(value) < MinSecret:
		return Secret{}, fmt.Errorf("auth: secret %q has too few bytes, want at least %d", id, MinSecret)
	case len(bytes.Trim(value, " \t\r\n")) == 0:
		return Secret{}, fmt.Errorf("auth: secret %q is nothing but blanks and line breaks", id)
	case !notBefore.IsZero() && !notAfter.IsZero() && !notBefore.Before(notAfter):
		return Secret{}, fmt.Errorf("auth: secret %q ends (%s) before it begins (%s)", id, notAfter.Format(time.RFC3339), notBefore.Format(time.RFC3339))
	}
	k := &key{value: append([]byte(nil), value...), sum: sha256.Sum256(value), notBefore: notBefore, notAfter: notAfter}
	return Secret{ID: id, key: func() *key { return k }}, nil
}

// Decoy is a secret that nobody has, valid when s is: what is checked against it takes as long, and is refused for
// the same reasons.
func (s Secret) Decoy() Secret {
	if s.key == nil {
		return Secret{}
	}
	of := s.key()
	k := &key{value: make([]byte, len(of.value)), notBefore: of.notBefore, notAfter: of.notAfter}
	_, _ = rand.Read(k.value) // never fails: crypto/rand ends the process instead
	k.sum = sha256.Sum256(k.value)
	return Secret{ID: "decoy", key: func() *key { return k }}
}

// live reports whether the secret counts at now: from notBefore on, before
// notAfter.
func (s Secret) live(now time.Time) bool {
	k := s.key()
	return !now.Before(k.notBefore) && (k.notAfter.IsZero() || now.Before(k.notAfter))
}

// String, and the methods below, show the id and never the value.
func (s Secret) String() string { return s.ID + secret.Mask }

// Format serves every verb, %x included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue serves slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText serves encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(secret.Mask), nil }
