package dev

import (
	"testing"

	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/auth/authtest"
	"github.com/kycbridge/kycbridge/providers/catalog"
)

// TestNewScheme: a vendor with a scheme that nothing here knows has an endpoint and a line
// in the banner, and what `send` posts is accepted there, and refused once it is spoilt.
func TestNewScheme(t *testing.T) {
	v, _ := catalog.Find("complycube")
	v.Name, v.Scheme, v.Proofs = "newcomer", nil, []auth.Scheme{auth.Bearer{}, authtest.Reversed{}}
	checkEndpoints(t, v, []hook{
		{"newcomer", `bearer {id: "dev" value: "dev-secret-newcomer"}`, "bearer dev-secret-newcomer"},
		{"newcomer-reversed-hmac", `secrets {id: "dev" value: "remocwen-terces-ved"}`, "read backwards, secret remocwen-terces-ved"},
	})
	checkWays(t, v)
}
