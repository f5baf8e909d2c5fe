package idwise

import "github.com/kycbridge/kycbridge/providers"

// What the vendor's pages show of its deliveries. What is read although only a
// neighbouring event or object has it is marked as inferred, and counted.

const (
	bodyPath   = "body."
	objectPath = "fetched."
)

var topFields = providers.Fields{"event": providers.TextField, "body": providers.ObjectField(nil)}

var (
	// aboutJourney says which journey an event is about. All ids are texts on the
	// vendor's pages.
	aboutJourney = providers.Fields{"eventId": providers.IDField, "journeyId": providers.IDField, "referenceNo": providers.IDField}

	// decided are the decisions. An older page shows all three in all events of its
	// time; newer pages show fewer.
	decided = providers.Fields{
		"systemDecision": providers.TextField, "manualDecision": providers.TextField, "finalDecision": providers.TextField,
	}
)

// stepFields are those of Step Submitted. The page about Finished Step has not been
// seen.
var stepFields = providers.Fields{"stepId": providers.IDField, "stepType": providers.TextField}

var updatedFields = providers.Fields{"action": providers.TextField}

// requiredFields and exceededFields: of a step, one event shows the reason and the
// other the deadline.
var requiredFields = providers.Fields{
	"trigger": providers.TextField,
	"requiredSteps": stepList(providers.Fields{
		"stepId": providers.IDField, "reasonCode": providers.TextField, "renewalDeadline": providers.TextField.Inferred(),
	}),
}

var exceededFields = providers.Fields{
	"requiredSteps": stepList(providers.Fields{
		"stepId": providers.IDField, "reasonCode": providers.TextField.Inferred(), "renewalDeadline": providers.TextField,
	}),
}

func stepList(step providers.Fields) providers.Field {
	return providers.ListField(providers.ObjectField(step))
}

var monitorFields = providers.Fields{"previousSystemDecision": providers.TextField, "updatedAMLVersionNumber": providers.IDField}

var spotCheckFields = providers.Fields{
	"eventId": providers.IDField, "referenceNo": providers.IDField, "spotCheckJourneyId": providers.IDField,
	"systemDecision": providers.TextField,
}

var ongoingFields = providers.Fields{"ongoingCheckId": providers.IDField}
