package ingest

import (
	"crypto"
	"crypto/tls"
	"io"
	"runtime"
)

// handshakes bounds how many signatures strangers can have made at a time: signing is the dearest part of a
// handshake, anybody can ask for it, and nothing is known of who does. Half of the processors stay free of it, and
// senders that were proved lately do not wait. Who waits holds a place in the room.
type handshakes chan struct{}

func newHandshakes() handshakes { return make(handshakes, max(1, runtime.GOMAXPROCS(0)/2)) }

// sharing is the certificate with a key that waits for its turn.
func (h handshakes) sharing(c *tls.Certificate) *tls.Certificate {
	key, ok := c.PrivateKey.(crypto.Signer)
	if !ok {
		return c
	}
	shared := *c
	shared.PrivateKey = sharedKey{key, h}
	return &shared
}

type sharedKey struct {
	crypto.Signer
	turns handshakes
}

func (k sharedKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	k.turns <- struct{}{}
	defer func() { <-k.turns }()
	return k.Signer.Sign(random, digest, opts)
}
