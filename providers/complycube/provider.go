// Package complycube maps the webhooks of ComplyCube. README.md has the facts,
// their sources and what is uncertain; testdata shows every case.
//
// It asks no API itself: hydrate.go says which object a delivery lacks, and what
// of a fetched one is used.
package complycube

import (
	"crypto"
	"embed"
	"slices"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

//go:embed testdata
var testdata embed.FS

//go:embed stories
var stories embed.FS

// Provider is ComplyCube.
var Provider = providers.Provider{
	Name:          "complycube",
	Title:         "ComplyCube",
	MapperVersion: "complycube/2",
	Scheme:        auth.HMAC{Header: "Complycube-Signature", Hash: crypto.SHA256},
	Ack:           providers.Ack{Limit: 15 * time.Second, RetryFor: 11 * time.Minute}, // the three delays it documents of its ten
	Limits:        providers.Limits{Events: 4, Output: 256 << 10},
	KeepHeaders:   []string{"User-Agent"},
	Key:           func(d *providers.Delivery) string { return providers.ScanID(d.Body, "payload", "id") },
	Parse:         parse,
	Hydration:     hydration(),
	Verdicts:      []string{"payload.status", "payload.outcome", "payload.result.outcome", "fetched:outcome", "fetched:result.outcome"},
	Spellings:     slices.Concat(olderTypes, inferredOlderTypes),
	Vary:          vary,
	Testdata:      testdata,
	Stories:       stories,
	Maps: map[string]providers.MapFunc{
		"workflow.session.started":    session(kycv1.SessionTransition_SESSION_TRANSITION_STARTED, "started"),
		"workflow.session.processing": session(kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING, "processing"),
		"workflow.session.completed":  session(kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, "complete"),
		"workflow.session.cancelled":  session(kycv1.SessionTransition_SESSION_TRANSITION_CANCELLED, "cancelled", "abandoned"),
		"workflow.session.updated":    session(kycv1.SessionTransition_SESSION_TRANSITION_DECISION_CHANGED),

		"check.pending":                   check(says{status: "pending"}),
		"check.completed":                 check(says{status: "complete"}),
		"check.completed.clear":           check(says{status: "complete", outcome: "clear"}),
		"check.completed.attention":       check(says{status: "complete", outcome: "attention"}),
		"check.completed.rejected":        check(says{status: "complete", outcome: "rejected"}),
		"check.completed.match_confirmed": check(says{status: "complete", outcome: matchConfirmed}),
		"check.monitoring.attention":      check(says{status: "complete", outcome: "attention", monitored: true}),
		"check.failed":                    check(says{status: "failed"}),
		"check.updated":                   checkUpdated,

		"client.created":                  resource(client, kycv1.Change_CHANGE_CREATED),
		"client.updated":                  resource(client, kycv1.Change_CHANGE_UPDATED),
		"client.deleted":                  resource(client, kycv1.Change_CHANGE_DELETED),
		"document.created":                resource(document, kycv1.Change_CHANGE_CREATED),
		"document.updated":                resource(document, kycv1.Change_CHANGE_UPDATED),
		"document.updated.image_uploaded": resource(document, kycv1.Change_CHANGE_UPDATED, "images"),
		"document.updated.image_deleted":  resource(document, kycv1.Change_CHANGE_UPDATED, "images"),
		"document.deleted":                resource(document, kycv1.Change_CHANGE_DELETED),
		"address.created":                 resource(address, kycv1.Change_CHANGE_CREATED),
		"address.updated":                 resource(address, kycv1.Change_CHANGE_UPDATED),
		"address.deleted":                 resource(address, kycv1.Change_CHANGE_DELETED),
	},
}

func vary(body []byte, n uint64) []byte {
	return providers.VaryIDs(body, n, "id", "payload.id", "payload.clientId", "payload.documentId",
		"payload.addressId", "payload.livePhotoId", "payload.liveVideoId", "payload.allRelatedChecks.checkId")
}
