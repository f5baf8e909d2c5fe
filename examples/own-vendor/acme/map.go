package acme

import (
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// fields are those of a delivery, with the kinds of value that are read there. The name
// stays inside, so it may be anything.
var fields = providers.Fields{
	"eventId": providers.IDField,
	"event":   providers.TextField,
	"mode":    providers.TextField,
	"sentAt":  providers.AnyField,
	"verification": providers.ObjectField(providers.Fields{
		"id":         providers.IDField,
		"reference":  providers.IDField,
		"result":     providers.TextField,
		"reasons":    providers.ListField(providers.TextField),
		"finishedAt": providers.TextField,
		"fullName":   providers.AnyField,
	}),
}

// The words of the vendor.
var (
	environments = providers.Enum[kycv1.Environment]{
		"live": kycv1.Environment_ENVIRONMENT_LIVE,
		"test": kycv1.Environment_ENVIRONMENT_SANDBOX,
	}
	results = providers.Enum[kycv1.Decision]{
		"approved": kycv1.Decision_DECISION_APPROVED,
		"declined": kycv1.Decision_DECISION_DECLINED,
		"referred": kycv1.Decision_DECISION_REVIEW,
	}
)

// finished is a verification with its verdict. A word that is not in the table is none.
func finished(d *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
	var m providers.Mapping
	v := n.Doc.At("verification")
	id := v.At("id").ID()
	if id == "" {
		return m, providers.LacksID("verification.id")
	}
	if err := agree(&m, d, n.Doc.At("mode")); err != nil {
		return m, err
	}
	m.Shape("", n.Doc, fields)
	decision, word := providers.Say(&m, "result", results, v.At("result"))
	if decision == kycv1.Decision_DECISION_UNSPECIFIED {
		decision = kycv1.Decision_DECISION_UNDETERMINED
	}
	m.Add(&kycv1.SessionEvent{
		Metadata: &kycv1.EventMetadata{
			Subject:    &kycv1.Subject{SessionId: id, CustomerReference: m.Reference(v.At("reference"))},
			OccurredAt: m.Time("finished_at", v.At("finishedAt")),
		},
		Transition:    kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED,
		Decision:      decision,
		ReasonCodes:   m.Codes("reason", v.At("reasons")),
		VendorStatus:  providers.Word(n.Type),
		VendorOutcome: providers.Word(word.Text),
	})
	return m, nil
}

// agree refuses a test at an endpoint for real customers, and the other way round. A
// word that is new, or none, leaves the endpoint's environment standing.
func agree(m *providers.Mapping, d *providers.Delivery, mode *providers.Value) error {
	says, _ := providers.Say(m, "mode", environments, mode)
	if says != kycv1.Environment_ENVIRONMENT_UNSPECIFIED && says != d.Environment {
		return providers.Contradicts("mode", "the delivery belongs to "+says.String()+", the endpoint to "+d.Environment.String())
	}
	return nil
}
