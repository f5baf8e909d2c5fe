package idwise

import (
	"fmt"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/providertest"
)

func TestProvider(t *testing.T) {
	for _, scheme := range []auth.Scheme{auth.Basic{}, auth.Bearer{}, auth.Header{Name: "X-Idwise-Token"}} {
		t.Run(auth.Kind(scheme), func(t *testing.T) { providertest.Run(t, with(scheme), providertest.WithSecrets(secret)) })
	}
}

func FuzzProvider(f *testing.F) {
	providertest.Fuzz(f, with(auth.Basic{}), providertest.WithSecrets(secret))
}

// with is the vendor as an endpoint that is configured with one of its proofs.
func with(scheme auth.Scheme) providers.Provider {
	p := Provider
	p.Scheme = scheme
	return p
}

// secret is a user and a password, which serves as a token as well.
func secret(n int, notBefore, notAfter time.Time) (auth.Secret, error) {
	return auth.NewSecret(fmt.Sprintf("secret-%d", n), fmt.Appendf(nil, "user-%d:synthetic-password-%d", n, n), notBefore, notAfter)
}
