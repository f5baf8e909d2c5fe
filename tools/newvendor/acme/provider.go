// Package acme maps the webhooks of Acme Identity. README.md has the facts, their
// sources and what is uncertain; testdata shows every case.
//
// It judges no sender and keeps nothing from one delivery to the next.
package acme

import (
	"crypto"
	"embed"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

//go:embed testdata
var testdata embed.FS

//go:embed stories
var stories embed.FS

// Provider is Acme Identity.
var Provider = providers.Provider{
	Name:          "acme",          // the folder, configurations, metadata.provider
	Title:         "Acme Identity", // as people write it
	MapperVersion: "acme/1",        // grows when equal deliveries become other events
	Scheme:        auth.HMAC{Header: "Acme-Signature", Hash: crypto.SHA256},
	Ack:           providers.Ack{Limit: 10 * time.Second, RetryFor: 24 * time.Hour},
	Limits:        providers.Limits{Events: 1, Output: 64 << 10},
	Key:           func(d *providers.Delivery) string { return providers.ScanID(d.Body, "verification", "id") },
	Parse:         parse,
	Verdicts:      []string{"verification.result"},
	Vary: func(body []byte, n uint64) []byte {
		return providers.VaryIDs(body, n, "eventId", "verification.id")
	},
	Testdata: testdata,
	Stories:  stories,
	Maps: map[string]providers.MapFunc{
		"verification.started":  verification(started),
		"verification.finished": verification(finished),
	},
}
