package jwks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/providers/auth"
)

// Limits of a set.
const (
	maxBytes = 256 << 10
	maxKeys  = 100
)

// jwk is one key of a set (RFC 7517), as far as it matters here.
type jwk struct {
	Kty string `json:"kty"`
	Kid string `json:"kid"`
	Use string `json:"use,omitempty"`
	Alg string `json:"alg,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
}

// Parse reads a JWK Set. Keys that cannot check a webhook's signature (without an
// id, for encryption, of another type, too weak) are left out, and so is a second
// key of the same id. A set without any that can is an error, which does not
// quote the set.
func Parse(data []byte) (auth.StaticKeys, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	switch err := json.Unmarshal(data, &set); {
	case err != nil:
		return nil, errors.New("it is not a JWK Set (a JSON object with the list keys)")
	case len(set.Keys) > maxKeys:
		return nil, fmt.Errorf("it has %d keys, want at most %d", len(set.Keys), maxKeys)
	}
	var keys auth.StaticKeys
	for _, raw := range set.Keys {
		var j jwk
		if json.Unmarshal(raw, &j) != nil || j.Use != "" && j.Use != "sig" {
			continue
		}
		k := auth.Key{ID: j.Kid, Algorithm: j.Alg, Public: j.public()}
		if _, err := keys.Key(k.ID); err != nil && k.Usable() {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("none of its %d keys has a kid and is an RSA key of 2048 to 8192 bits or a P-256 key, for signatures", len(set.Keys))
	}
	return keys, nil
}

// public is nil for what is no key.
func (j jwk) public() any {
	switch j.Kty {
	case "RSA":
		n, e := number(j.N), number(j.E)
		if n == nil || e == nil || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 || e.Bit(0) == 0 {
			return nil
		}
		return &rsa.PublicKey{N: n, E: int(e.Int64())}
	case "EC":
		x, errX := base64.RawURLEncoding.DecodeString(j.X)
		y, errY := base64.RawURLEncoding.DecodeString(j.Y)
		if j.Crv != "P-256" || errX != nil || errY != nil || len(x) != 32 || len(y) != 32 {
			return nil
		}
		k, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if err != nil {
			return nil // no point of the curve
		}
		return k
	}
	return nil
}

func number(text string) *big.Int {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 {
		return nil
	}
	return new(big.Int).SetBytes(b)
}

// Marshal writes a JWK Set that Parse reads.
func Marshal(keys ...auth.Key) ([]byte, error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	encode := base64.RawURLEncoding.EncodeToString
	for _, k := range keys {
		j := jwk{Kid: k.ID, Use: "sig", Alg: k.Algorithm}
		switch p := k.Public.(type) {
		case *rsa.PublicKey:
			j.Kty, j.N, j.E = "RSA", encode(p.N.Bytes()), encode(big.NewInt(int64(p.E)).Bytes())
		case *ecdsa.PublicKey:
			b, err := p.Bytes()
			if err != nil || p.Curve != elliptic.P256() {
				return nil, fmt.Errorf("jwks: key %q is not on P-256", k.ID)
			}
			j.Kty, j.Crv, j.X, j.Y = "EC", "P-256", encode(b[1:33]), encode(b[33:])
		default:
			return nil, fmt.Errorf("jwks: key %q is a %T, want an RSA or ECDSA key", k.ID, k.Public)
		}
		set.Keys = append(set.Keys, j)
	}
	return json.MarshalIndent(set, "", "  ")
}

// ReadFile reads a JWK Set from a file, once: keys that do not change. Whoever changes it can sign, so it is read by
// the rules of secret.ReadTrusted, and so are the warnings.
func ReadFile(path string) (keys auth.StaticKeys, warnings []string, err error) {
	data, warnings, err := secret.ReadTrusted(path, maxBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the key set: %w", err)
	}
	if keys, err = Parse(data); err != nil {
		return nil, nil, fmt.Errorf("%s cannot be used: %w", path, err)
	}
	return keys, warnings, nil
}
