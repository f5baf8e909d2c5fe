package auth

import (
	"crypto"
	"crypto/hmac"
	_ "crypto/sha256" // the hashes of HMAC.Hash
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strings"
)

// Encoding is how a signature is written.
type Encoding uint8

const (
	// Hex, either case.
	Hex Encoding = iota
	// Base64, standard alphabet with padding.
	Base64
)

// String is the encoding's name.
func (e Encoding) String() string {
	if e == Base64 {
		return "base64"
	}
	return "hex"
}

// HMAC is a signature over the raw body in one header. There is no time in it:
// a captured delivery verifies for ever, so only deduplication stops a replay.
type HMAC struct {
	Header   string      // its name
	Hash     crypto.Hash // crypto.SHA256 or crypto.SHA512
	Encoding Encoding
	Prefix   string // in front of the signature, such as "sha256="
}

var _ Scheme = HMAC{}

// Verify computes the signature under every secret, live or not, so that its
// duration tells nothing about which one fits.
func (m HMAC) Verify(secrets []Secret, r Request) (string, error) {
	given, err := m.signature(r.Header)
	if err != nil {
		return "", err
	}
	return try(secrets, r.Now, place{header: m.Header}, func(k *key) bool {
		return hmac.Equal(m.sum(k, r.Body), given)
	})
}

// Sign sets the header. A zero Secret signs nothing.
func (m HMAC) Sign(s Secret, r *Request) {
	if s.key == nil {
		return
	}
	sum := m.sum(s.key(), r.Body)
	text := hex.EncodeToString(sum)
	if m.Encoding == Base64 {
		text = base64.StdEncoding.EncodeToString(sum)
	}
	r.Header.Set(m.Header, m.Prefix+text)
}

// Traits: it covers the body, and any secret will do.
func (m HMAC) Traits() Traits {
	t := Traits{Kind: KindHMAC, Setting: "secrets", Header: m.Header, BindsBody: true, Prompt: "secret "}
	t.Description = fmt.Sprintf("`secrets`: HMAC-%s of the raw body, %s, in the header `%s`",
		strings.ReplaceAll(m.Hash.String(), "-", ""), m.Encoding, m.Header)
	if m.Prefix != "" {
		t.Description += ", after `" + m.Prefix + "`"
	}
	return t
}

// sum uses again what was made of the key before: that is a third of the work on a small body.
func (m HMAC) sum(k *key, body []byte) []byte {
	signs, ok := k.signers.Get().(*signer)
	if !ok || signs.algorithm != m.Hash {
		signs = &signer{m.Hash, hmac.New(m.Hash.New, k.value)}
	}
	signs.Write(body)
	sum := signs.Sum(nil)
	signs.Reset()
	k.signers.Put(signs)
	return sum
}

// signer is an HMAC under one key, ready for the next body.
type signer struct {
	algorithm crypto.Hash
	hash.Hash
}

// signature reads the one signature.
func (m HMAC) signature(h http.Header) ([]byte, error) {
	value, err := one(h, m.Header)
	if err != nil {
		return nil, err
	}
	text, ok := strings.CutPrefix(value, m.Prefix)
	if !ok {
		return nil, fmt.Errorf("%w: header %s does not begin with %q", ErrMismatch, m.Header, m.Prefix)
	}
	sum, err := m.decode(text)
	if err != nil || len(sum) != m.Hash.Size() {
		return nil, fmt.Errorf("%w: header %s holds no signature of %d bytes in its encoding", ErrMismatch, m.Header, m.Hash.Size())
	}
	return sum, nil
}

func (m HMAC) decode(text string) ([]byte, error) {
	if m.Encoding == Base64 {
		return base64.StdEncoding.Strict().DecodeString(text)
	}
	return hex.DecodeString(text)
}
