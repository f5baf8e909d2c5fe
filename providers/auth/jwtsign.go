package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// tokenLife is how long a token made here is valid.
const tokenLife = time.Hour

// Sign plays the vendor, for `send` and tests: the secret is a private key in
// PEM (PKCS #8). The token goes into the header, or takes the place of the body. That
// of a zero Secret has no signature. A secret that is no key signs nothing.
func (j JWT) Sign(s Secret, r *Request) {
	claims, err := j.claims(r.Body, r.Now)
	token := "e30." + base64.RawURLEncoding.EncodeToString(claims) + "."
	if err == nil && s.key != nil {
		token, err = j.TokenOf(s, claims)
	}
	switch {
	case err != nil:
	case j.Header != "":
		r.Header.Set(j.Header, token)
	default:
		r.Header.Set("Content-Type", "application/jwt")
		r.Body = []byte(token)
	}
}

// check wants a private key that fits one of the algorithms.
func (j JWT) check(s Secret) error {
	_, _, err := j.signer(s)
	return err
}

// makeKey makes a private key for the first of the algorithms.
func (j JWT) makeKey() ([]byte, error) {
	var key any
	var err error
	if a := j.algorithms(); len(a) > 0 && a[0] == "ES256" {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		key, err = rsa.GenerateKey(rand.Reader, minRSABits)
	}
	if err != nil {
		return nil, fmt.Errorf("auth: make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("auth: make a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// claims are iss, aud, iat and exp, and body, as it is, under Claim.
func (j JWT) claims(body []byte, now time.Time) ([]byte, error) {
	claims, err := json.Marshal(map[string]any{"iss": j.Issuer, "aud": j.Audience, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix()})
	if err != nil || j.Claim == "" {
		return claims, err
	}
	name, err := json.Marshal(j.Claim)
	if err != nil {
		return nil, err
	}
	// By hand: the body may be a broken one that a test wants sent.
	return slices.Concat(claims[:len(claims)-1], []byte(","), name, []byte(":"), body, []byte("}")), nil
}

// TokenOf signs claims as they are, for tests of what must not be believed.
func (j JWT) TokenOf(s Secret, claims []byte) (string, error) {
	method, key, err := j.signer(s)
	if err != nil {
		return "", err
	}
	header, err := json.Marshal(map[string]string{"alg": method.Alg(), "typ": "JWT", "kid": s.ID})
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
