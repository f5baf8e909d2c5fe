package idwise

import (
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// trigger is why the customer must submit again.
type trigger uint8

const (
	reviewerAsks trigger = iota // also where the word is new to us
	renewalIsDue
)

// triggers has the one word that the vendor names. The other trigger is a reviewer's
// request, whose word is cut off on the page: it may be that of an update's action.
var (
	triggers       = providers.Enum[trigger]{"kyc renewal": renewalIsDue}
	triggersCutOff = providers.Enum[trigger]{"manual review": reviewerAsks}
)

// required says that the customer must submit again. Before a renewal's deadline
// the decision stays what it was. On a reviewer's request it is provisional: a
// new one follows the resubmission.
func required(r *run) error {
	why, word := providers.Say(&r.Mapping, "trigger", triggers, r.body.At("trigger"), triggersCutOff)
	steps := r.steps()
	if why == renewalIsDue {
		r.Add(r.renewal(kycv1.RenewalState_RENEWAL_STATE_DUE, word.Text, steps))
	}
	e := &kycv1.SessionEvent{
		Metadata: r.metadata(), Transition: kycv1.SessionTransition_SESSION_TRANSITION_RESUBMISSION_REQUIRED,
		Decision: r.given(), DecidedBy: r.verdict.by, Finality: finality(r.verdict.decision),
		ReasonCodes: reasons(steps), RequiredSteps: steps,
		VendorStatus: providers.Word(word.Text), VendorOutcome: r.verdict.word,
	}
	if why != renewalIsDue && e.VendorOutcome != "" {
		e.Finality = kycv1.Finality_FINALITY_PRELIMINARY
	}
	r.Add(e)
	return nil
}

// exceeded says that a renewal was not done in time. The delivery gives no
// decision; the vendor's text says that the journey becomes Incomplete.
func exceeded(r *run) error {
	steps := r.steps()
	r.Add(r.renewal(kycv1.RenewalState_RENEWAL_STATE_OVERDUE, "", steps))
	r.Add(&kycv1.SessionEvent{
		Metadata: r.metadata(), Transition: kycv1.SessionTransition_SESSION_TRANSITION_DECISION_CHANGED,
		Decision: kycv1.Decision_DECISION_INCOMPLETE, DecidedBy: kycv1.DecidedBy_DECIDED_BY_SYSTEM,
		ReasonCodes: reasons(steps), RequiredSteps: steps,
	})
	return nil
}

// renewal is about the session: the vendor says which steps, not which documents.
// Its deadline is the first of the steps'.
func (r *run) renewal(state kycv1.RenewalState, status string, steps []*kycv1.RequiredStep) *kycv1.RenewalEvent {
	e := &kycv1.RenewalEvent{
		Metadata: r.metadata(), Kind: kycv1.RenewalKind_RENEWAL_KIND_SESSION, State: state,
		RequiredSteps: steps, ReasonCodes: reasons(steps), VendorStatus: providers.Word(status),
	}
	for _, s := range steps {
		if s.StepId != "" && !slices.Contains(e.Items, s.StepId) {
			e.Items = append(e.Items, s.StepId)
		}
		if sooner(s, e.Deadline) || e.VendorDeadline == "" {
			e.Deadline, e.VendorDeadline = s.Deadline, s.VendorDeadline
		}
	}
	return e
}

func sooner(s *kycv1.RequiredStep, than *timestamppb.Timestamp) bool {
	return s.Deadline != nil && (than == nil || s.Deadline.AsTime().Before(than.AsTime()))
}

// maxSteps bounds a list that leaves.
const maxSteps = 1000

// steps are the steps to be taken again. An entry that says nothing is left out.
func (r *run) steps() []*kycv1.RequiredStep {
	var out []*kycv1.RequiredStep
	for v := range r.body.At("requiredSteps").Items() {
		s := &kycv1.RequiredStep{StepId: v.At("stepId").ID()}
		if code := v.At("reasonCode"); providers.IsCode(code.Text()) {
			s.ReasonCodes = []string{code.Text()}
		} else if code.Given() {
			r.Note("reason_code", "")
		}
		s.Deadline, s.VendorDeadline = r.deadline(v.At("renewalDeadline"))
		if s.StepId == "" {
			r.Note("step_id", "")
		}
		if s.StepId == "" && s.ReasonCodes == nil && s.VendorDeadline == "" || len(out) == maxSteps {
			continue
		}
		out = append(out, s)
	}
	return out
}

// deadline reads a time in ISO 8601. The vendor's sample has a zone; a time
// without one is in UTC, as its text says all are, and a date is its midnight.
func (r *run) deadline(v *providers.Value) (*timestamppb.Timestamp, string) {
	text := providers.Word(v.Text())
	if text == "" {
		return nil, ""
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			if ts := timestamppb.New(t); ts.CheckValid() == nil {
				return ts, text
			}
		}
	}
	r.Note("renewal_deadline", "")
	return nil, text
}

// reasons are the codes of all steps, without repeats.
func reasons(steps []*kycv1.RequiredStep) []string {
	var out []string
	for _, s := range steps {
		for _, code := range s.ReasonCodes {
			if !slices.Contains(out, code) {
				out = append(out, code)
			}
		}
	}
	return out
}
