package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

// secretVariable is the variable that replaces a vendor's built-in secret.
func secretVariable(vendor string) string {
	return "KYCBRIDGE_SECRET_" + strings.ToUpper(strings.ReplaceAll(vendor, "-", "_"))
}

// devSecret is the built-in secret of a vendor's endpoint of `dev`. It is
// public, and good for nothing else.
func devSecret(vendor string) string { return "dev-secret-" + vendor }

// vendorSecret is the secret that `dev` expects and `send` signs with: the
// variable's, else the built-in one. own says that it is the variable's.
func vendorSecret(env *environment, vendor string) (value string, own bool, err error) {
	value, own = env.lookup(secretVariable(vendor))
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

// vendorWays are the ways of a vendor with the secret that `dev` and `send` share.
func vendorWays(env *environment, v providers.Provider, key []byte) ([]devWay, error) {
	value, _, err := vendorSecret(env, v.Name)
	if err != nil {
		return nil, err
	}
	return devWays(v, value, key)
}

// signers are vendorWays for one who signs: with the key that `dev` keeps in dir,
// or, where none was made there, with one that proves nothing to it.
func signers(env *environment, v providers.Provider, dir string) ([]devWay, error) {
	var key []byte
	if tokenSigned(v) {
		var err error
		key, err = os.ReadFile(devKeyFile(dir, v.Name))
		if errors.Is(err, fs.ErrNotExist) {
			key, err = makeKey()
		}
		if err != nil {
			return nil, err
		}
	}
	return vendorWays(env, v, key)
}

func vendorNames() []string {
	var names []string
	for _, p := range catalog.All() {
		names = append(names, p.Name)
	}
	return names
}

func findVendor(name string) (providers.Provider, error) {
	p, ok := catalog.Find(name)
	if !ok {
		return p, usagef("there is no vendor %q; there are: %s", name, strings.Join(vendorNames(), ", "))
	}
	return p, nil
}
