// Package idnow maps the webhooks of the IDnow Trust Platform. README.md has the
// facts, their sources and what is uncertain; testdata shows every case.
//
// It verifies no token: ingest has, before anything here is called.
package idnow

import (
	"embed"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

//go:embed testdata
var testdata embed.FS

//go:embed stories
var stories embed.FS

// Provider is IDnow.
var Provider = providers.Provider{
	Name:          "idnow",
	Title:         "IDnow",
	MapperVersion: "idnow/2",
	// No secrets of its own: the vendor's public keys, and headers that the
	// customer invents. The newer form first.
	Proofs: []auth.Scheme{
		auth.JWT{Claim: "data"},
		auth.JWT{Header: signatureHeader, Claim: "data"},
		auth.Header{},
	},
	Ack: providers.Ack{
		Limit:         10 * time.Second,
		RetryFor:      1023 * time.Second, // 1 + 2 + 4 + … + 512 s
		FinalStatuses: []providers.StatusRange{{From: 400, To: 499}},
	},
	Limits:      providers.Limits{Events: 4, Output: 256 << 10},
	KeepHeaders: []string{signatureHeader},
	Key:         key,
	Parse:       parse,
	Verdicts:    []string{"payload.sessionStatus", "payload.lastStepStatus", "lastStepStatus", "fetched:outcome", "fetched:decisionOutcome"},
	Vary:        vary,
	Testdata:    testdata,
	Stories:     stories,
	Maps: map[string]providers.MapFunc{
		"session.created":   mapSession,
		"session.completed": mapSession,
		"session.aborted":   mapSession,
		"session.expired":   mapSession,
		"session.error":     mapSession,
		anyEvent:            mapSession,
	},
	Spellings: classicTypes(), // not of this product, but a disposition may say them
	Hydration: &providers.Hydration{
		BaseURL:    "https://api.eu.platform.idnow.io",
		SandboxURL: "https://api.eu.platform.idnow.sx",
		Auth: providers.APIAuth{
			Scheme:          providers.APIClientCredentials,
			TokenURL:        "https://auth.eu.platform.idnow.io/oidc/token",
			SandboxTokenURL: "https://auth.eu.platform.idnow.sx/oidc/token",
		},
		Objects: map[string]providers.APIObject{
			sessionObject: {Path: "/api/v1/{environment}/sessions/{id}"},
		},
		Environments: map[kycv1.Environment]string{
			kycv1.Environment_ENVIRONMENT_LIVE:    live,
			kycv1.Environment_ENVIRONMENT_SANDBOX: staging,
		},
		Needs: needs,
		Check: check,
	},
}

// vary works on the claim data, which is what a fixture holds.
func vary(body []byte, n uint64) []byte {
	return providers.VaryIDs(body, n, "eventId", "event_id", "eventDeliverId", "payload.sessionId", "payload.session_id")
}
