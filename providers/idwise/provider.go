// Package idwise maps the webhooks of IDWise. README.md has the facts, their
// sources and what is uncertain; testdata shows every case.
//
// It asks no API: hydrate.go says what is to be asked for, and the mapping reads
// what came back.
package idwise

import (
	"embed"
	"net/http"
	"slices"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

//go:embed testdata
var testdata embed.FS

//go:embed stories
var stories embed.FS

// Provider is IDWise.
var Provider = providers.Provider{
	Name:          "idwise",
	Title:         "IDWise",
	MapperVersion: "idwise/2",
	Proofs:        []auth.Scheme{auth.Basic{}, auth.Bearer{}, auth.Header{}},
	Ack:           providers.Ack{Success: http.StatusOK, RetryFor: 15 * time.Minute},
	Limits:        providers.Limits{Events: 8, Output: 256 << 10},
	KeepHeaders:   []string{"User-Agent"},
	Key:           key,
	Parse:         parse,
	Hydration:     &hydration,
	Verdicts: []string{
		"body.systemDecision", "body.manualDecision", "body.finalDecision", "body.previousSystemDecision",
		"fetched:system_decision", "fetched:manual_decision", "fetched:final_decision",
		"fetched:systemDecision", "fetched:manualDecision", "fetched:finalDecision",
		"fetched:selfie.status", "fetched:aml.applicability", "fetched:aml.matches.match_status",
		"fetched:aml_matches.match_status", "fetched:documents.0.progress",
		"fetched:documents.0.validation_result.validation_outcome", "fetched:documents.0.validationResult.validationOutcome",
		"fetched:document.0.progress", "fetched:document.0.validation_result.validation_outcome",
	},
	Spellings: []string{"AML Monior Update"},
	Words:     slices.Concat(actions.Words(), triggers.Words(), triggersCutOff.Words(), askedAgain.Words(), stepProgress.Words()),
	Vary:      vary,
	Testdata:  testdata,
	Stories:   stories,
	Maps: map[string]providers.MapFunc{
		finishedStep:      journey(step, aboutJourney, decided, stepFields.Inferred()),
		finishedUserSteps: journey(userSteps, aboutJourney, decided),
		finishedJourney:   journey(completed, aboutJourney, decided),
		updatedJourney:    journey(updated, aboutJourney, decided, updatedFields),
		updateRequired:    journey(required, aboutJourney, decided, requiredFields),
		deadlineExceeded:  journey(exceeded, aboutJourney, exceededFields, decided.Inferred()),
		amlMonitorUpdate:  journey(amlMonitored, aboutJourney, decided, monitorFields),
		finishedSpotCheck: spotCheck(spotCheckFields, decided.Inferred(), aboutJourney.Inferred()),
		manuallyReviewed:  journey(reviewed, aboutJourney, decided),                    // deprecated
		finishedOngoing:   spotCheck(aboutJourney, decided, ongoingFields),             // legacy
		stepSubmitted:     journey(step, aboutJourney, stepFields, decided.Inferred()), // legacy
	},
}

func vary(body []byte, n uint64) []byte {
	return providers.VaryIDs(body, n, "body.eventId", "body.journeyId", "body.spotCheckJourneyId",
		"body.ongoingCheckId", "body.referenceNo")
}
