package acme

import (
	"testing"

	"github.com/kycbridge/kycbridge/providers/providertest"
)

func TestProvider(t *testing.T) { providertest.Run(t, Provider) }

func FuzzProvider(f *testing.F) { providertest.Fuzz(f, Provider) }
