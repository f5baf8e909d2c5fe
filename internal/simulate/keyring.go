package simulate

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/auth/jwks"
)

// secretVariable is the variable that replaces a vendor's built-in secret.
func secretVariable(vendor string) string {
	return "KYCBRIDGE_SECRET_" + strings.ToUpper(strings.ReplaceAll(vendor, "-", "_"))
}

// devSecret is the built-in secret of a vendor's endpoint of `dev`. It is
// public, and good for nothing else.
func devSecret(vendor string) string { return "dev-secret-" + vendor }

// Keyring is where the secrets and keys of simulated vendors are.
type Keyring struct {
	Lookup func(name string) (value string, ok bool) // variables that replace built-in secrets
	Dir    string                                    // data directory of `dev`, with the keys of vendors that sign tokens
}

// Ways are the ways of a vendor for one who signs: with the key that `dev` keeps, or,
// where none was made yet, with one that proves nothing to it.
func (k Keyring) Ways(v providers.Provider) ([]Way, error) {
	var key []byte
	if tokenSigned(v) {
		var err error
		key, err = os.ReadFile(k.keyFile(v.Name))
		if errors.Is(err, fs.ErrNotExist) {
			key, err = makeKey()
		}
		if err != nil {
			return nil, err
		}
	}
	return k.ways(v, key)
}

// Prepare is Ways for one who checks: it makes the key of a vendor that signs tokens
// where there is none, and writes the key set that its endpoints are configured with.
func (k Keyring) Prepare(v providers.Provider) (ways []Way, keySet string, err error) {
	var key []byte
	if tokenSigned(v) {
		if key, keySet, err = k.makeKeys(v.Name); err != nil {
			return nil, "", err
		}
	}
	ways, err = k.ways(v, key)
	return ways, keySet, err
}

func (k Keyring) ways(v providers.Provider, key []byte) ([]Way, error) {
	value, _, err := k.secret(v.Name)
	if err != nil {
		return nil, err
	}
	return waysOf(v, value, key)
}

// secret is what `dev` expects and `send` signs with: the variable's value, else the
// built-in secret. own reports whether it is the variable's.
func (k Keyring) secret(vendor string) (value string, own bool, err error) {
	value, own = k.Lookup(secretVariable(vendor))
	if !own {
		return devSecret(vendor), false, nil
	}
	// Empty is no request for the built-in secret: whoever sets the variable means to replace it,
	// and everybody knows the built-in one.
	if len(value) < auth.MinSecret {
		return "", true, fmt.Errorf("%s has %d bytes; a secret has at least %d: set it to the vendor's, or unset it for the built-in one", secretVariable(vendor), len(value), auth.MinSecret)
	}
	return value, true, nil
}

// Describe says what the endpoint of a way wants to see, for those who play the vendor.
func (k Keyring) Describe(w Way, vendor string) string {
	secret := devSecret(vendor)
	if _, own, _ := k.secret(vendor); own {
		secret = "$" + secretVariable(vendor)
	}
	switch s := w.scheme.(type) {
	case auth.Basic:
		return "basic " + devUser + ":" + secret
	case auth.Bearer:
		return "bearer " + secret
	case auth.Header:
		if w.token != nil {
			return s.Name + ": " + secret + ", " + k.Describe(*w.token, vendor)
		}
		return s.Name + ": " + secret
	case auth.PathToken:
		return "followed by /" + secret
	case auth.JWT:
		if s.Header != "" {
			return "token in " + s.Header + ", key " + k.keyFile(vendor)
		}
		return "token as body, key " + k.keyFile(vendor)
	default:
		return "secret " + secret
	}
}

// keyFile is where `dev` keeps the private key of a vendor that signs tokens.
func (k Keyring) keyFile(vendor string) string { return filepath.Join(k.Dir, "dev", vendor+"-key.pem") }

// makeKeys finds or makes the private key of a vendor, and writes the key set that
// its endpoint is configured with.
func (k Keyring) makeKeys(vendor string) (key []byte, keySet string, err error) {
	if key, err = loadOrMakeKey(k.keyFile(vendor)); err != nil {
		return nil, "", err
	}
	secret, err := auth.NewSecret(devKeyID, key, time.Time{}, time.Time{})
	if err != nil {
		return nil, "", err
	}
	public, err := auth.PublicKey(secret)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w; delete it, and a new one is made", k.keyFile(vendor), err)
	}
	public.ID = devKeyID
	text, err := jwks.Marshal(public)
	if err != nil {
		return nil, "", err
	}
	keySet = filepath.Join(k.Dir, "dev", vendor+"-jwks.json")
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
