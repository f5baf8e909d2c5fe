package complycube

import (
	"slices"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

var sessionFields = providers.Fields{
	"status": providers.AnyField, "outcome": providers.AnyField, "entityName": providers.AnyField, "completedAt": providers.AnyField, "tasks": providers.AnyField, "lastCompletedTaskId": providers.AnyField,
	"workflowTemplateId": providers.AnyField, "workflowTemplateName": providers.AnyField, "workflowTemplateDescription": providers.AnyField, "workflowId": providers.AnyField,
	"workflowDescription": providers.AnyField, "workflowVersion": providers.AnyField, "compliancePolicies": providers.AnyField, "policyAssurance": providers.AnyField, "allRelatedChecks": providers.AnyField,
}

// sessionStatuses are the words of the vendor's session object; true for a
// session that is still open.
var sessionStatuses = providers.Enum[bool]{
	"started": true, "processing": true, "complete": false, "abandoned": false, "cancelled": false,
}

// A confirmed match is for a human to judge: the vendor does not call it a
// rejection, so neither do we.
var sessionOutcomes = providers.Enum[kycv1.Decision]{
	"clear":         kycv1.Decision_DECISION_APPROVED,
	"attention":     kycv1.Decision_DECISION_REVIEW,
	"rejected":      kycv1.Decision_DECISION_DECLINED,
	matchConfirmed:  kycv1.Decision_DECISION_REVIEW,
	"not_processed": kycv1.Decision_DECISION_UNDETERMINED,
}

// session maps one event type; statuses are those that go with it, none for any.
func session(t kycv1.SessionTransition, statuses ...string) providers.MapFunc {
	return mapper(sessionFields, func(r *run) error {
		status := providers.TermOf(r.payload.At("status"))
		open, known := sessionStatuses.Of(status.Text)
		if known && len(statuses) > 0 && !slices.ContainsFunc(statuses, status.Is) {
			return providers.Contradicts("payload.status", "the event type says "+statuses[0])
		}
		if status.Given && !known {
			r.Note("status", status.Text)
		}
		t := sessionTransition(t, status)
		object := r.complete()
		if verdictDue(t) && (!status.Given || status.Is("complete")) && !providers.TermOf(r.payload.At("outcome")).Given {
			r.conclude(object)
		}
		decision, vendorOutcome := r.decision(t, known || !status.Given)
		r.Add(&kycv1.SessionEvent{
			Metadata: r.sessionMetadata(), Transition: t, Decision: decision, Finality: finality(t, decision, open),
			VendorStatus:  providers.FirstWord(status.Text, r.Type),
			VendorOutcome: vendorOutcome,
		})
		return nil
	})
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
	outcome := providers.TermOf(r.payload.At("outcome"))
	if !outcome.Given {
		r.Incomplete = verdictDue(t)
		return none, ""
	}
	d, known := sessionOutcomes.Of(outcome.Text)
	if !known {
		r.Note("outcome", outcome.Text)
	}
	if !known || !statusKnown {
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
	workflow, template := r.payload.At("workflowId").ID(), r.payload.At("workflowTemplateId").ID()
	md.FlowId = workflow
	if workflow == "" {
		md.FlowId = template
	}
	md.FlowVersion = providers.Word(r.payload.At("workflowVersion").Scalar())
	md.VendorAttributes = providers.Attributes(
		"workflow_id", workflow,
		"workflow_template_id", template,
		"last_completed_task_id", r.payload.At("lastCompletedTaskId").ID(),
	)
	return md
}
