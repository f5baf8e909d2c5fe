package idwise

import (
	"encoding/hex"
	"strings"

	"github.com/kycbridge/kycbridge/providers"
)

// The event types, as the vendor writes them.
const (
	finishedStep      = "Finished Step"
	finishedUserSteps = "Finished User Steps"
	finishedJourney   = "Finished Journey"
	updatedJourney    = "Updated Journey"
	updateRequired    = "Verification Update Required"
	deadlineExceeded  = "KYC Renewal Deadline Exceeded"
	amlMonitorUpdate  = "AML Monitor Update"
	finishedSpotCheck = "Finished Spot Check"
	manuallyReviewed  = "Manually Reviewed"
	finishedOngoing   = "Finished Ongoing Check"
	stepSubmitted     = "Step Submitted"
)

// types are the event types by their folded spelling. The vendor's page spells
// the one of AML monitoring in two ways.
var types = map[string]string{
	"finished step":                 finishedStep,
	"finished user steps":           finishedUserSteps,
	"finished journey":              finishedJourney,
	"updated journey":               updatedJourney,
	"verification update required":  updateRequired,
	"kyc renewal deadline exceeded": deadlineExceeded,
	"aml monitor update":            amlMonitorUpdate,
	"aml monior update":             amlMonitorUpdate,
	"finished spot check":           finishedSpotCheck,
	"manually reviewed":             manuallyReviewed,
	"finished ongoing check":        finishedOngoing,
	"step submitted":                stepSubmitted,
}

// fold makes spellings equal that differ in case and blanks only.
func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// subjectOf is the name of the field in body that says whom an event is about.
// A spot check is a subject of its own: the vendor names it by its own id.
func subjectOf(typ string) string {
	switch typ {
	case finishedSpotCheck:
		return "spotCheckJourneyId"
	case finishedOngoing:
		return "ongoingCheckId"
	}
	return "journeyId"
}

func key(d *providers.Delivery) string {
	typ := types[fold(providers.ScanText(d.Body, "event"))]
	return providers.ScanID(d.Body, "body", subjectOf(typ))
}

// maxEventID is what metadata.vendor_event_id holds.
const maxEventID = 128

// parse reads what all events share.
func parse(d *providers.Delivery) (*providers.Notice, error) {
	doc, err := providers.ReadObject(d.Body)
	if err != nil {
		return nil, err
	}
	event := doc.At("event")
	n := &providers.Notice{
		ID:      doc.At("body", "eventId").ID(),
		Type:    providers.Word(event.Text()),
		Content: providers.Canonical(doc, nil),
		Doc:     doc,
	}
	if n.Type == "" {
		return nil, &providers.Problem{Field: "event", Detail: "want a string that names the event", Err: providers.ErrMalformed}
	}
	if n.MapAs = types[fold(event.Text())]; n.MapAs == "" {
		n.MapAs = n.Type
	}
	if len(n.ID) > maxEventID {
		n.ID = ""
	}
	n.Identity = identity(n)
	return n, nil
}

// identity is the event's id, the same across retries. Without one, which is so
// for the legacy Step Submitted, it is everything that is said.
func identity(n *providers.Notice) providers.Identity {
	if n.ID != "" {
		return providers.Identity{"event", n.ID}
	}
	sum := n.ContentHash()
	return providers.Identity{"content", hex.EncodeToString(sum[:])}
}

// field follows names through objects. The API writes snake_case and the webhooks
// camelCase; which of the two an answer uses has not been seen, so both are read.
func field(v *providers.Value, names ...string) *providers.Value {
	for _, name := range names {
		if v.Kind() != providers.Object {
			return nil // mostly: no API was asked
		}
		next := v.At(name)
		if !next.Given() {
			if other := v.At(camel(name)); other.Given() {
				next = other
			}
		}
		v = next
	}
	return v
}

// camel turns snake_case into camelCase.
func camel(name string) string {
	if !strings.Contains(name, "_") {
		return name
	}
	parts := strings.Split(name, "_")
	for i, p := range parts {
		if i > 0 && p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}
