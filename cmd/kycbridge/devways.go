package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/auth/jwks"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

const (
	devUser     = "dev"          // of basic credentials
	devHeader   = "X-Auth-Token" // where a vendor sends headers of the customer's choice
	devKeyID    = "dev"
	devSecretID = "dev"
	devKeyBits  = 2048
)

// devWay is one way in which a vendor proves itself to an endpoint of `dev`,
// filled in so that it can sign as well.
type devWay struct {
	endpoint string
	scheme   auth.Scheme
	value    string      // the secret as a configuration holds it
	secret   auth.Secret // the same, to sign with
	token    *devWay     // the token that the vendor signs all the same; nil for none
}

// devWays are the ways of a vendor in dev. The endpoint named after the vendor
// takes the first; each other one has an endpoint of its own, named after it
// too. key is the private key, in PEM, of a vendor that signs tokens: its events are
// in them, so a secret in a header comes on top.
func devWays(v providers.Provider, secret string, key []byte) ([]devWay, error) {
	var ways []devWay
	for i, scheme := range v.Ways() {
		w := devWay{endpoint: v.Name, scheme: scheme, value: secret}
		name := strings.ReplaceAll(auth.Kind(scheme), "_", "-")
		switch s := scheme.(type) {
		case auth.Basic:
			if !strings.Contains(secret, ":") {
				w.value = devUser + ":" + secret
			}
		case auth.Header:
			w.scheme = auth.Header{Name: devHeader}
			if tokenSigned(v) {
				token := ways[0]
				w.token = &token
			}
		case auth.JWT:
			s.Issuer, s.Audience, s.KeyID = devIssuer(v.Name), devAudience(v.Name), devKeyID
			w.scheme, w.value = s, string(key)
			if s.Header != "" {
				name += "-header"
			}
		}
		if i > 0 {
			w.endpoint += "-" + name
		}
		var err error
		if w.secret, err = auth.NewSecret(devSecretID, []byte(w.value), time.Time{}, time.Time{}); err != nil {
			return nil, fmt.Errorf("%s: %w", w.endpoint, err)
		}
		ways = append(ways, w)
	}
	return ways, nil
}

func devIssuer(vendor string) string   { return "https://" + vendor + ".invalid/oidc" }
func devAudience(vendor string) string { return "https://hooks.invalid/" + vendor }

// tokenSigned says whether a vendor signs by tokens, and so needs a key.
func tokenSigned(v providers.Provider) bool {
	_, ok := v.Ways()[0].(auth.JWT)
	return ok
}

// unsigned is the body of a fixture as the vendor's package reads it: inside a
// token, where the vendor sends one, which nobody signed.
func unsigned(v providers.Provider, body []byte) []byte {
	token, ok := v.Ways()[0].(auth.JWT)
	if !ok {
		return body
	}
	claims := fmt.Appendf(nil, "{%q:%s}", token.Claim, body)
	return []byte("e30." + base64.RawURLEncoding.EncodeToString(claims) + ".e30")
}

// forged is the way with a secret that nobody configured.
func (w devWay) forged() (devWay, error) {
	value := []byte("not-" + w.value)
	if auth.Keyless(w.scheme) {
		var err error
		if value, err = makeKey(); err != nil {
			return w, err
		}
	}
	var err error
	w.secret, err = auth.NewSecret(devSecretID, value, time.Time{}, time.Time{})
	return w, err
}

// seal makes the delivery of a body, with what proves its sender in h.
func (w devWay) seal(body []byte, h http.Header) []byte {
	if w.token != nil {
		body = w.token.seal(body, h)
	}
	return auth.Deliver(w.scheme, w.secret, body, h)
}

// prove writes the way into an endpoint's configuration. keySet is the file with
// the public keys of a vendor that signs tokens.
func (w devWay) prove(e *configv1.Endpoint, keySet string) {
	if w.token != nil {
		w.token.prove(e, keySet)
	}
	secrets := []*configv1.Secret{{Id: devSecretID, Value: w.value}}
	switch s := w.scheme.(type) {
	case auth.Basic:
		e.Basic = secrets
	case auth.Bearer:
		e.Bearer = secrets
	case auth.Header:
		e.Headers = []*configv1.HeaderProof{{Name: s.Name, Secrets: secrets}}
	case auth.PathToken:
		e.PathTokens = secrets
	case auth.JWT:
		e.Jwt = &configv1.Jwt{JwksFile: keySet, Issuer: s.Issuer, Audience: s.Audience, Header: s.Header}
	default:
		e.Secrets = secrets
	}
}

// devKeyFile is where `dev` keeps the private key of a vendor that signs tokens.
func devKeyFile(dir, vendor string) string { return filepath.Join(dir, "dev", vendor+"-key.pem") }

// devKeys finds or makes the private key of a vendor, and writes the key set that
// its endpoint is configured with.
func devKeys(dir, vendor string) (key []byte, keySet string, err error) {
	if key, err = loadOrMakeKey(devKeyFile(dir, vendor)); err != nil {
		return nil, "", err
	}
	secret, err := auth.NewSecret(devKeyID, key, time.Time{}, time.Time{})
	if err != nil {
		return nil, "", err
	}
	public, err := auth.PublicKey(secret)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w; delete it, and a new one is made", devKeyFile(dir, vendor), err)
	}
	public.ID = devKeyID
	text, err := jwks.Marshal(public)
	if err != nil {
		return nil, "", err
	}
	keySet = filepath.Join(dir, "dev", vendor+"-jwks.json")
	return key, keySet, os.WriteFile(keySet, text, 0o600)
}

func loadOrMakeKey(file string) ([]byte, error) {
	key, err := os.ReadFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = makeKey(); err != nil {
		return nil, err
	}
	return key, errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, key, 0o600))
}

// makeKey returns a new RSA key, PKCS #8 in PEM.
func makeKey() ([]byte, error) {
	private, err := rsa.GenerateKey(rand.Reader, devKeyBits)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), nil
}

// describe says what the endpoint wants to see, for those who play the vendor.
func (w devWay) describe(environment *environment, vendor, dir string) string {
	secret := devSecret(vendor)
	if _, own, _ := vendorSecret(environment, vendor); own {
		secret = "$" + secretVariable(vendor)
	}
	switch s := w.scheme.(type) {
	case auth.Basic:
		return "basic " + devUser + ":" + secret
	case auth.Bearer:
		return "bearer " + secret
	case auth.Header:
		if w.token != nil {
			return s.Name + ": " + secret + ", " + w.token.describe(environment, vendor, dir)
		}
		return s.Name + ": " + secret
	case auth.PathToken:
		return "followed by /" + secret
	case auth.JWT:
		if s.Header != "" {
			return "token in " + s.Header + ", key " + devKeyFile(dir, vendor)
		}
		return "token as body, key " + devKeyFile(dir, vendor)
	default:
		return "secret " + secret
	}
}
