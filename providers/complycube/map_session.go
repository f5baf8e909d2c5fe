package complycube

import (
	"cmp"
	"slices"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// phase is what a status says of a session; zero for a word that is new to us.
type phase struct{ known, open bool }

// sessionStatuses are the words of the vendor's session object.
var sessionStatuses = providers.Enum[phase]{
	"started": {known: true, open: true}, "processing": {known: true, open: true},
	"complete": {known: true}, "abandoned": {known: true}, "cancelled": {known: true},
}

// sessionOutcomes are what a session comes to.
var sessionOutcomes = providers.Enum[kycv1.Decision]{
	"clear":   kycv1.Decision_DECISION_APPROVED,
	"review":  kycv1.Decision_DECISION_REVIEW,
	"decline": kycv1.Decision_DECISION_DECLINED,
}

// inferredOutcomes are words of checks, which no source has on a session. A confirmed
// match is for a human to judge: the vendor does not call it a rejection, so neither do we.
var inferredOutcomes = providers.Enum[kycv1.Decision]{
	"attention":     kycv1.Decision_DECISION_REVIEW,
	"rejected":      kycv1.Decision_DECISION_DECLINED,
	matchConfirmed:  kycv1.Decision_DECISION_REVIEW,
	"not_processed": kycv1.Decision_DECISION_UNDETERMINED,
}

// session maps one event type; statuses are those that go with it, none for any.
func session(t kycv1.SessionTransition, statuses ...string) providers.MapFunc {
	return mapper(func(r *run) error {
		at, status := providers.Say(&r.Mapping, "status", sessionStatuses, r.payload.At("status"))
		if at.known && len(statuses) > 0 && !slices.ContainsFunc(statuses, status.Is) {
			return providers.Contradicts("payload.status", "the event type says "+statuses[0])
		}
		t := sessionTransition(t, status)
		object := r.complete()
		if verdictDue(t) && (!status.Given || status.Is("complete")) && !r.payload.At("outcome").Given() {
			r.conclude(object)
		}
		decision, vendorOutcome := r.decision(t, at.known || !status.Given)
		r.Add(&kycv1.SessionEvent{
			Metadata: r.sessionMetadata(), Transition: t, Decision: decision, Finality: finality(t, decision, at.open),
			VendorStatus:  providers.FirstWord(status.Text, r.Type),
			VendorOutcome: vendorOutcome,
		})
		return nil
	}, sessionFields, owned)
}

// sessionTransition lets an update say that the session ended without a verdict:
// the vendor has a status for that and no event type.
func sessionTransition(t kycv1.SessionTransition, status providers.Term) kycv1.SessionTransition {
	switch {
	case t != kycv1.SessionTransition_SESSION_TRANSITION_DECISION_CHANGED:
		return t
	case status.Is("abandoned"):
		return kycv1.SessionTransition_SESSION_TRANSITION_EXPIRED
	case status.Is("cancelled"):
		return kycv1.SessionTransition_SESSION_TRANSITION_CANCELLED
	}
	return t
}

// verdictDue reports whether a session in this transition should have an outcome.
func verdictDue(t kycv1.SessionTransition) bool {
	return t == kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED || t == kycv1.SessionTransition_SESSION_TRANSITION_DECISION_CHANGED
}

// decision reads the outcome. Where a verdict is due and none can be read, it is
// UNDETERMINED; a session whose status is new to us has no readable verdict.
func (r *run) decision(t kycv1.SessionTransition, statusKnown bool) (kycv1.Decision, string) {
	none := kycv1.Decision_DECISION_UNSPECIFIED
	if verdictDue(t) {
		none = kycv1.Decision_DECISION_UNDETERMINED
	}
	d, outcome := providers.Say(&r.Mapping, "outcome", sessionOutcomes, r.payload.At("outcome"), inferredOutcomes)
	if !outcome.Given {
		r.Incomplete = verdictDue(t)
		return none, ""
	}
	if d == kycv1.Decision_DECISION_UNSPECIFIED || !statusKnown {
		d = none
	}
	return d, providers.Word(outcome.Text)
}

// finality: an outcome given while the session is open is not its last word. The
// vendor never says that nothing more is to come.
func finality(t kycv1.SessionTransition, d kycv1.Decision, open bool) kycv1.Finality {
	open = open || t == kycv1.SessionTransition_SESSION_TRANSITION_STARTED || t == kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING
	if open && d != kycv1.Decision_DECISION_UNSPECIFIED {
		return kycv1.Finality_FINALITY_PRELIMINARY
	}
	return kycv1.Finality_FINALITY_UNSPECIFIED
}

func (r *run) sessionMetadata() *kycv1.EventMetadata {
	md := r.metadata(&kycv1.Subject{
		SessionId:       r.id,
		RelatedCheckIds: r.IDs("related_check", r.payload.At("allRelatedChecks"), "checkId"),
	})
	workflow, template := r.payload.At("workflowId").ID(), r.payload.At("workflowTemplateId")
	md.FlowId = cmp.Or(workflow, template.ID())
	md.FlowVersion = providers.Word(r.payload.At("workflowVersion").Scalar())
	md.VendorAttributes = providers.Attributes(
		"workflow_id", workflow,
		"workflow_template_id", cmp.Or(template.ID(), template.Flag()),
		"last_completed_task_id", r.payload.At("lastCompletedTaskId").ID(),
	)
	return md
}
