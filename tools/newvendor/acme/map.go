package acme

import (
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// fields are those of a delivery, with the kinds of value that are read there. What
// stays inside, such as the name, may be anything.
var fields = providers.Fields{
	"eventId": providers.IDField,
	"event":   providers.TextField,
	"mode":    providers.TextField,
	"sentAt":  providers.AnyField,
	"verification": providers.ObjectField(providers.Fields{
		"id":         providers.IDField,
		"reference":  providers.IDField,
		"flow":       providers.IDField.Inferred(), // a session of the API has it
		"status":     providers.TextField,
		"result":     providers.TextField,
		"final":      providers.FlagField,
		"reasons":    providers.ListField(providers.TextField),
		"finishedAt": providers.TextField,
		"fullName":   providers.AnyField,
		"reportUrl":  providers.AnyField,
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
	// inferredResults are words of the vendor's API that no webhook of it shows.
	inferredResults = providers.Enum[kycv1.Decision]{
		"rejected": kycv1.Decision_DECISION_DECLINED,
	}
)

// verification checks what every event needs, then lets say fill in what it says.
func verification(say func(*providers.Mapping, *providers.Value, *kycv1.SessionEvent)) providers.MapFunc {
	return func(d *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
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
		e := &kycv1.SessionEvent{
			Metadata: &kycv1.EventMetadata{
				Subject:    &kycv1.Subject{SessionId: id, CustomerReference: m.Reference(v.At("reference"))},
				OccurredAt: m.Time("finished_at", v.At("finishedAt")),
				FlowId:     v.At("flow").ID(),
			},
			VendorStatus: providers.FirstWord(v.At("status").Text(), n.Type),
		}
		say(&m, v, e)
		m.Add(e)
		return m, nil
	}
}

// agree refuses a test at an endpoint for real customers, and the other way round. A
// word that is new, or none, leaves the endpoint's environment standing.
func agree(m *providers.Mapping, d *providers.Delivery, mode *providers.Value) error {
	says, word := providers.Say(m, "mode", environments, mode)
	if says != kycv1.Environment_ENVIRONMENT_UNSPECIFIED && says != d.Environment {
		return providers.Contradicts("mode", "the delivery belongs to "+says.String()+", the endpoint to "+d.Environment.String())
	}
	if !word.Given {
		m.Note("mode", "") // it is said to be always there
	}
	return nil
}

func started(_ *providers.Mapping, _ *providers.Value, e *kycv1.SessionEvent) {
	e.Transition = kycv1.SessionTransition_SESSION_TRANSITION_STARTED
}

// finished reads the verdict. Only the word of the table is one, and only the boolean
// true makes it final; until then nobody may act on it.
func finished(m *providers.Mapping, v *providers.Value, e *kycv1.SessionEvent) {
	e.Transition, e.Finality = kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING, kycv1.Finality_FINALITY_PRELIMINARY
	if v.At("final").True() {
		e.Transition, e.Finality = kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, kycv1.Finality_FINALITY_FINAL
	}
	decision, word := providers.Say(m, "result", results, v.At("result"), inferredResults)
	if decision == kycv1.Decision_DECISION_UNSPECIFIED {
		decision = kycv1.Decision_DECISION_UNDETERMINED
	}
	e.Decision, e.VendorOutcome = decision, providers.Word(word.Text)
	e.ReasonCodes = m.Codes("reason", v.At("reasons"))
}
