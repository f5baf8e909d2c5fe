package auth

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// tokenLife is how long a token made here is valid.
const tokenLife = time.Hour

// Sign plays the vendor, for `send` and tests: the secret is a private key in
// PEM (PKCS #8). In a header it sets the token; for the body, which Wrap makes a
// token of, it sets the media type. A secret that is no key signs nothing.
func (j JWT) Sign(s Secret, body []byte, h http.Header) {
	if j.Header == "" {
		h.Set("Content-Type", "application/jwt")
		return
	}
	if token, err := j.Token(s, body); err == nil {
		h.Set(j.Header, token)
	}
}

// Wrap returns the token that carries body, or body itself when the token is in
// a header or the secret is no key.
func (j JWT) Wrap(s Secret, body []byte) []byte {
	if j.Header != "" {
		return body
	}
	token, err := j.Token(s, body)
	if err != nil {
		return body
	}
	return []byte(token)
}

// Check wants a private key that fits one of the algorithms.
func (j JWT) Check(s Secret) error {
	_, _, err := j.signer(s)
	return err
}

// Token makes a token with the claims iss, aud, iat and exp, and body, as it is,
// under Claim.
func (j JWT) Token(s Secret, body []byte) (string, error) {
	now := j.IssuedAt
	if now.IsZero() {
		now = time.Now()
	}
	claims, err := json.Marshal(map[string]any{"iss": j.Issuer, "aud": j.Audience, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix()})
	if err != nil {
		return "", err
	}
	if j.Claim != "" { // by hand: the body may be a broken one that a test wants sent
		name, err := json.Marshal(j.Claim)
		if err != nil {
			return "", err
		}
		claims = slices.Concat(claims[:len(claims)-1], []byte(","), name, []byte(":"), body, []byte("}"))
	}
	return j.TokenOf(s, claims)
}

// TokenOf signs claims as they are, for tests of what must not be believed.
func (j JWT) TokenOf(s Secret, claims []byte) (string, error) {
	method, key, err := j.signer(s)
	if err != nil {
		return "", err
	}
	id := j.KeyID
	if id == "" {
		id = s.ID
	}
	header, err := json.Marshal(map[string]string{"alg": method.Alg(), "typ": "JWT", "kid": id})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	signature, err := method.Sign(text, key)
	if err != nil {
		return "", fmt.Errorf("auth: secret %q does not sign: %w", s.ID, err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// PublicKey is the public half of a private key in PEM (PKCS #8), under the id of
// the secret: what the receiver of tokens signed with it needs.
func PublicKey(s Secret) (Key, error) {
	_, public, err := private(s)
	return public, err
}

// signer picks the first algorithm that fits the private key.
func (j JWT) signer(s Secret) (jwt.SigningMethod, any, error) {
	key, public, err := private(s)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range j.algorithms() {
		if public.fits(a) {
			return jwt.GetSigningMethod(a), key, nil
		}
	}
	return nil, nil, fmt.Errorf("auth: secret %q is a key for none of the algorithms %v", s.ID, j.algorithms())
}

// private reads the key. Errors do not quote the decoder's, which might quote it.
func private(s Secret) (any, Key, error) {
	if s.key == nil {
		return nil, Key{}, errors.New("auth: an empty secret is no private key")
	}
	block, _ := pem.Decode(s.key().value)
	if block == nil {
		return nil, Key{}, fmt.Errorf("auth: secret %q is no private key in PEM", s.ID)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, Key{}, fmt.Errorf("auth: secret %q is no private key in PKCS #8", s.ID)
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return k, Key{ID: s.ID, Public: &k.PublicKey}, nil
	case *ecdsa.PrivateKey:
		return k, Key{ID: s.ID, Public: &k.PublicKey}, nil
	}
	return nil, Key{}, fmt.Errorf("auth: secret %q is a %T, want an RSA or ECDSA key", s.ID, key)
}
