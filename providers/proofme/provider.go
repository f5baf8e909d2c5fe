// Package proofme maps the webhooks of Proofme. README.md has the facts, their
// sources and what is uncertain; testdata shows every case.
//
// A webhook holds nothing but the id of an object that changed, so every event is
// made from the object as Proofme's API shows it. This package does not ask for
// it (the hydrate stage does), and never asks for the identification's data.
package proofme

import (
	"embed"
	"net/http"
	"regexp"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

//go:embed testdata
var testdata embed.FS

//go:embed stories
var stories embed.FS

// The kinds of object, named as the API wraps them.
const (
	identification = "identification"
	document       = "document"
)

// Provider is Proofme.
var Provider = providers.Provider{
	Name:          "proofme",
	Title:         "Proofme",
	MapperVersion: "proofme/2",
	Proofs:        []auth.Scheme{auth.PathToken{}},
	Ack:           providers.Ack{Success: http.StatusOK, Limit: 15 * time.Second, RetryFor: 26 * time.Hour},
	Limits:        providers.Limits{Events: 2, Output: 128 << 10, Body: 16 << 10},
	KeepHeaders:   []string{"User-Agent"},
	Key:           func(d *providers.Delivery) string { return objectID(d.Body) },
	Parse:         parse,
	Verdicts:      []string{"fetched:identification.status", "fetched:status"},
	IDs:           regexp.MustCompile(`^(tr_[A-Za-z0-9]{10}|[a-z]{2,4}[0-9](-[a-z]{2,4}){2}-[0-9]{10}\.[0-9]{1,9})$`), // of the vendor's pages
	Vary:          vary,
	Testdata:      testdata,
	Stories:       stories,
	Maps: map[string]providers.MapFunc{
		identification: mapper(session),
		document:       mapper(documentChange),
	},
	Hydration: &providers.Hydration{
		Required: true,
		BaseURL:  "https://api.proofme.id",
		Auth:     providers.APIAuth{Scheme: providers.APIKey},
		Objects: map[string]providers.APIObject{
			identification: {Path: "/v1/identification/{id}", OrElse: document},
			document:       {Path: "/v1/document/{id}"},
		},
		Needs:    func(d *providers.Delivery, _ *providers.Notice) (providers.Target, bool) { return target(d), true },
		Check:    check,
		AskAgain: true,
	},
}

// target: the webhook does not say of which kind its object is; most are
// identifications.
func target(d *providers.Delivery) providers.Target {
	return providers.Target{Kind: identification, ID: objectID(d.Body)}
}
