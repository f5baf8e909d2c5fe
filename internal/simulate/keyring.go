package simulate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/auth/jwks"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// secretVariable is the variable that replaces a vendor's built-in secret.
func secretVariable(vendor string) string {
	return "KYCBRIDGE_SECRET_" + strings.ToUpper(strings.ReplaceAll(vendor, "-", "_"))
}

// devSecret is the built-in secret of a vendor's endpoint of `dev`. It is
// public, and good for nothing else. A short name is said again until the secret has
// the length of one.
func devSecret(vendor string) string {
	text := secret.DevPrefix + vendor
	for len(text) < auth.MinSecret {
		text += "-" + vendor
	}
	return text
}

// Keyring is where the secrets and keys of simulated vendors are.
type Keyring struct {
	Lookup func(name string) (value string, ok bool) // variables that replace built-in secrets
	Dir    string                                    // data directory of `dev`, with the keys of vendors that sign with one
}

// Ways are the ways of a vendor for one who signs: with the key that `dev` keeps, or,
// where none was made yet, with one that proves nothing to it.
func (k Keyring) Ways(v providers.Provider) ([]Way, error) {
	var key []byte
	if makeKey := keyMaker(v); makeKey != nil {
		var err error
		key, err = os.ReadFile(k.keyFile(v.Name))
		if errors.Is(err, fs.ErrNotExist) {
			key, err = makeKey()
		}
		if err != nil {
			return nil, err
		}
	}
	password, _, err := k.secret(v.Name)
	if err != nil {
		return nil, err
	}
	return waysOf(v, password, key)
}

// Prepare is Ways for one who checks: it makes the key of a vendor that signs with one
// where there is none, and writes the key set that its endpoints are configured with.
func (k Keyring) Prepare(v providers.Provider) ([]Way, error) {
	if makeKey := keyMaker(v); makeKey != nil {
		if err := k.makeKeys(v.Name, makeKey); err != nil {
			return nil, err
		}
	}
	return k.Ways(v)
}

// keyMaker makes the private key of a vendor that signs with one; nil for any other.
func keyMaker(v providers.Provider) func() ([]byte, error) {
	for _, scheme := range schemes(v) {
		if makeKey := scheme.Traits().MakeKey; makeKey != nil {
			return makeKey
		}
	}
	return nil
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
		return "", true, fmt.Errorf("%s is too short; a secret has at least %d bytes: set it to the vendor's, or unset it for the built-in one", secretVariable(vendor), auth.MinSecret)
	}
	value, err = secret.FromVariable("${"+secretVariable(vendor)+"}", k.Lookup)
	return value, true, err
}

// Check is one of the checks that the endpoint of a way makes.
type Check struct {
	Scheme  auth.Scheme
	Secrets []*configv1.Secret // that vendor and endpoint share
	Token   *configv1.Jwt      // instead of them, where the vendor signs with a key of its own
}

// Checks are those that an endpoint is configured with for a way.
func (k Keyring) Checks(w Way) []Check {
	var all []Check
	for _, p := range w.proofs {
		c := Check{Scheme: p.Scheme}
		if p.Traits().MakeKey == nil {
			c.Secrets = []*configv1.Secret{{Id: devSecretID, Value: p.value}}
		} else {
			c.Token = &configv1.Jwt{JwksFile: k.keySetFile(w.vendor), Issuer: devIssuer(w.vendor), Audience: devAudience(w.vendor)}
		}
		all = append(all, c)
	}
	return all
}

// Describe says what the endpoint of a way wants to see, for those who play the vendor.
func (k Keyring) Describe(w Way) string {
	password := devSecret(w.vendor)
	if _, own, _ := k.secret(w.vendor); own {
		password = "$" + secretVariable(w.vendor)
	}
	var all []string
	for _, p := range slices.Backward(w.proofs) {
		traits := p.Traits()
		shown := traits.Value(password)
		if traits.MakeKey != nil {
			shown = k.keyFile(w.vendor) + ", kid " + devSecretID + ", iss " + devIssuer(w.vendor) + ", aud " + devAudience(w.vendor)
		}
		all = append(all, traits.Prompt+shown)
	}
	return strings.Join(all, ", ")
}

// keyFile is where `dev` keeps the private key of a vendor.
func (k Keyring) keyFile(vendor string) string { return filepath.Join(k.Dir, "dev", vendor+"-key.pem") }

// keySetFile is where it keeps the public one.
func (k Keyring) keySetFile(vendor string) string {
	return filepath.Join(k.Dir, "dev", vendor+"-jwks.json")
}

// makeKeys finds or makes the private key of a vendor, and writes the key set that
// its endpoint is configured with.
func (k Keyring) makeKeys(vendor string, makeKey func() ([]byte, error)) error {
	key, err := loadOrMakeKey(k.keyFile(vendor), makeKey)
	if err != nil {
		return err
	}
	private, err := auth.NewSecret(devSecretID, key, time.Time{}, time.Time{})
	if err != nil {
		return err
	}
	public, err := auth.PublicKey(private)
	if err != nil {
		return fmt.Errorf("%s: %w; delete it, and a new one is made", k.keyFile(vendor), err)
	}
	text, err := jwks.Marshal(public)
	if err != nil {
		return err
	}
	return os.WriteFile(k.keySetFile(vendor), text, 0o600)
}

func loadOrMakeKey(file string, makeKey func() ([]byte, error)) ([]byte, error) {
	key, err := os.ReadFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = makeKey(); err != nil {
		return nil, err
	}
	return key, errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, key, 0o600))
}
