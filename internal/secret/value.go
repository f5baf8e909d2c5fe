// Package secret is how secrets get into the program and what keeps them there: each comes out of exactly one
// variable or one file, is refused where it cannot be what its owner meant, and is shown nowhere. Addresses,
// which may carry one, are shown here as well.
//
// It knows neither the configuration nor what a secret is for, and demands no length: who uses it does.
package secret

import (
	"crypto/sha256"
	"fmt"
	"io"
	"sync/atomic"
)

// Mask stands where a secret would.
const Mask = "[secret]"

// Value is a secret, or none at zero. It prints, logs and encodes as Mask; Reveal gives the secret to the one
// place that needs it. It is behind a function because fmt prints unexported fields without asking their
// methods, and for a verb that does not fit even what pointers lead to.
type Value struct {
	held func() string
	file string // that it is read from again; "" for one that stays
}

// Of makes a Value of a text; of an empty one, none.
func Of(text string) Value {
	if text == "" {
		return Value{}
	}
	return Value{held: func() string { return text }}
}

// Set reports whether there is a secret.
func (v Value) Set() bool { return v.held != nil }

// Reveal returns the secret; "" for none.
func (v Value) Reveal() string {
	if v.held == nil {
		return ""
	}
	return v.held()
}

// Latest returns what gives the secret as it is now: a file is read again each time, by the rules of
// FromFile, and what was read last is given while it cannot be.
func (v Value) Latest() func() string {
	if v.file == "" {
		return v.Reveal
	}
	var last atomic.Pointer[Value]
	last.Store(&v)
	return func() string {
		if now, _, err := FromFile(v.file); err == nil {
			last.Store(&now)
		}
		return last.Load().Reveal()
	}
}

// Sum is what equal secrets have in common.
func (v Value) Sum() [sha256.Size]byte { return sha256.Sum256([]byte(v.Reveal())) }

// String serves those who ask no further.
func (v Value) String() string { return Mask }

// Format serves every verb of fmt.
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mask) }

// MarshalText serves encoders and slog.
func (v Value) MarshalText() ([]byte, error) { return []byte(Mask), nil }
