// Package acme maps the webhooks of Acme Identity. README.md has the facts, what they
// rest on and what is uncertain; testdata shows what a delivery becomes.
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

// Provider is Acme Identity.
var Provider = providers.Provider{
	Name:          "acme", // the folder, configurations, metadata.provider
	Title:         "Acme Identity",
	MapperVersion: "acme/1", // grows when equal deliveries become other events
	Scheme:        auth.HMAC{Header: "Acme-Signature", Hash: crypto.SHA256},
	Ack:           providers.Ack{Limit: 10 * time.Second},
	Key:           func(d *providers.Delivery) string { return providers.ScanID(d.Body, "verification", "id") },
	Parse:         parse,
	Maps:          map[string]providers.MapFunc{"verification.finished": finished},
	Verdicts:      []string{"verification.result"},
	Vary: func(body []byte, n uint64) []byte {
		return providers.VaryIDs(body, n, "eventId", "verification.id")
	},
	Testdata: testdata,
}

// volatile are the paths that differ from one attempt to the next and say nothing.
var volatile = providers.Paths("sentAt")

// parse reads what all events share.
func parse(d *providers.Delivery) (*providers.Notice, error) {
	doc, err := providers.ReadObject(d.Body)
	if err != nil {
		return nil, err
	}
	id, event := doc.At("eventId").ID(), doc.At("event").Text()
	if id == "" {
		return nil, providers.LacksID("eventId")
	}
	return &providers.Notice{
		ID:       id,
		Type:     providers.Word(event),
		MapAs:    event,
		Identity: providers.Identity{"event", id},
		Content:  providers.Canonical(doc, volatile),
		Doc:      doc,
	}, nil
}
