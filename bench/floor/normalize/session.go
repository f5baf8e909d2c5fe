package main

import (
	"slices"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

var transitions = map[string]kycv1.SessionTransition{
	"workflow.session.started":    kycv1.SessionTransition_SESSION_TRANSITION_STARTED,
	"workflow.session.processing": kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING,
	"workflow.session.completed":  kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED,
	"workflow.session.cancelled":  kycv1.SessionTransition_SESSION_TRANSITION_CANCELLED,
	"workflow.session.updated":    kycv1.SessionTransition_SESSION_TRANSITION_DECISION_CHANGED,
}

func (w *webhook) session(name string) []event {
	p := &w.payload
	status, outcome := p.status.term(), p.outcome.term()
	e := &kycv1.SessionEvent{Transition: transitions[name], VendorStatus: firstWord(status.word, w.eventType.s)}
	if e.Transition == kycv1.SessionTransition_SESSION_TRANSITION_DECISION_CHANGED {
		switch { // an update may say that it ended without a verdict
		case status.is("abandoned"):
			e.Transition = kycv1.SessionTransition_SESSION_TRANSITION_EXPIRED
		case status.is("cancelled"):
			e.Transition = kycv1.SessionTransition_SESSION_TRANSITION_CANCELLED
		}
	}
	due := e.Transition == kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED ||
		e.Transition == kycv1.SessionTransition_SESSION_TRANSITION_DECISION_CHANGED
	open := status.is("started", "processing") || e.Transition == kycv1.SessionTransition_SESSION_TRANSITION_STARTED ||
		e.Transition == kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING
	if !status.given || open || status.is("complete", "abandoned", "cancelled") {
		e.Decision = decision(outcome)
	}
	if due && e.Decision == kycv1.Decision_DECISION_UNSPECIFIED {
		e.Decision = kycv1.Decision_DECISION_UNDETERMINED
	}
	if open && e.Decision != kycv1.Decision_DECISION_UNSPECIFIED {
		e.Finality = kycv1.Finality_FINALITY_PRELIMINARY
	}
	if outcome.given {
		e.VendorOutcome = word(outcome.word)
	}
	e.Metadata = w.metadata(&kycv1.Subject{SessionId: p.id.id(), RelatedCheckIds: p.relatedIDs()}, due && !outcome.given,
		"workflow_id", p.workflow.id(), "workflow_template_id", p.template.id()+p.template.flag(), "last_completed_task_id", p.lastTask.id())
	e.Metadata.FlowId, e.Metadata.FlowVersion = firstWord(p.workflow.id(), p.template.id()), word(p.version.s)
	return []event{{sessionKind, e, e.Metadata}}
}

func decision(outcome term) kycv1.Decision {
	switch {
	case outcome.is("clear"):
		return kycv1.Decision_DECISION_APPROVED
	case outcome.is("review", "attention", matchConfirmed):
		return kycv1.Decision_DECISION_REVIEW
	case outcome.is("decline", "rejected"):
		return kycv1.Decision_DECISION_DECLINED
	case outcome.is("not_processed"):
		return kycv1.Decision_DECISION_UNDETERMINED
	}
	return kycv1.Decision_DECISION_UNSPECIFIED
}

// relatedIDs are the ids of the session's checks, each once.
func (p *payload) relatedIDs() (ids []string) {
	for _, t := range p.related {
		if id := t.id(); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
