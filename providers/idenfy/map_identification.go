package idenfy

import (
	"slices"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// says is what the unsigned header adds to a verification.
type says uint8

const (
	saysNothing says = iota
	saysResubmitted
	saysCancelled
	saysExpired
)

// standing is what a word of status.overall means. A deleted or archived session
// has no verdict: its data is gone, which says nothing about the person.
type standing struct {
	decision   kycv1.Decision
	transition kycv1.SessionTransition // of a session without a verdict
	change     kycv1.Change            // of the session's data
}

var overalls = providers.Enum[standing]{
	"approved":        {decision: kycv1.Decision_DECISION_APPROVED},
	"denied":          {decision: kycv1.Decision_DECISION_DECLINED},
	"suspected":       {decision: kycv1.Decision_DECISION_REVIEW},
	"not_reviewed":    {transition: kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING}, // of 2019
	"reviewing":       {transition: kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING},
	"active":          {transition: kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING},
	"expired":         {transition: kycv1.SessionTransition_SESSION_TRANSITION_EXPIRED},
	"expired-deleted": {transition: kycv1.SessionTransition_SESSION_TRANSITION_EXPIRED, change: kycv1.Change_CHANGE_DELETED},
	"deleted":         {change: kycv1.Change_CHANGE_DELETED},
	"archived":        {change: kycv1.Change_CHANGE_ARCHIVED},
}

// identification maps a verification: the session, each result block, the
// screening. All its event types have one shape.
func identification(by says) providers.MapFunc {
	return mapper(identificationFields, func(r *run) error {
		if r.id("scanRef") == "" {
			return lacks("scanRef")
		}
		r.at = r.unixTime("finish_time", r.Doc.At("finishTime"))
		r.session(by)
		r.blocks()
		return nil
	})
}

// scan is the subject of everything a verification says.
func (r *run) scan() *kycv1.Subject {
	return r.beneficiary(&kycv1.Subject{SessionId: r.id("scanRef"), CustomerReference: r.reference()})
}

// beneficiary adds whom of which company the delivery is about, where it says so.
func (r *run) beneficiary(s *kycv1.Subject) *kycv1.Subject {
	s.CompanyId = r.id("companyId")
	if s.PartyId = r.id("beneficiaryId"); s.PartyId != "" {
		s.Party = kycv1.Party_PARTY_BENEFICIARY
	}
	return s
}

func (r *run) session(by says) {
	at, overall := say(r, "overall", overalls, r.Doc.At("status", "overall"))
	if at.change != kycv1.Change_CHANGE_UNSPECIFIED {
		r.Add(&kycv1.ResourceEvent{
			Metadata: r.metadata(r.scan()), Resource: kycv1.Resource_RESOURCE_SESSION, Change: at.change,
			VendorResource: "scanRef", VendorStatus: providers.Word(overall.Text),
		})
		if at.transition == kycv1.SessionTransition_SESSION_TRANSITION_UNSPECIFIED {
			return
		}
	}
	final := r.finality()
	_, readable := overalls.Of(overall.Text)
	t := transitionOf(at, by, final, overall.Given && !readable)
	e := &kycv1.SessionEvent{
		Metadata: r.metadata(r.scan()), Transition: t, Decision: at.decision, Finality: final,
		ReasonCodes: r.reasons(), VendorStatus: r.fallback(overall.Text),
	}
	e.Metadata.VendorAttributes = r.sessionAttributes()
	if ended(t) && final == kycv1.Finality_FINALITY_PRELIMINARY {
		e.Finality = kycv1.Finality_FINALITY_UNSPECIFIED // "final" is documented for results, and this is none
	}
	if over(t, final) && at == (standing{}) {
		e.Decision = kycv1.Decision_DECISION_UNDETERMINED
	}
	if at.decision != kycv1.Decision_DECISION_UNSPECIFIED {
		e.DecidedBy = r.decidedBy()
	}
	if at.transition == kycv1.SessionTransition_SESSION_TRANSITION_UNSPECIFIED {
		e.VendorOutcome = providers.Word(overall.Text)
	}
	r.Add(e)
}

// over reports whether a verdict is due.
func over(t kycv1.SessionTransition, f kycv1.Finality) bool {
	return t == kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED ||
		t == kycv1.SessionTransition_SESSION_TRANSITION_RESUBMITTED && f == kycv1.Finality_FINALITY_FINAL
}

// ended reports whether a session ended without a verdict.
func ended(t kycv1.SessionTransition) bool {
	return t == kycv1.SessionTransition_SESSION_TRANSITION_CANCELLED || t == kycv1.SessionTransition_SESSION_TRANSITION_EXPIRED
}

// transitionOf reads signed fields first. The header's word for the end of a
// session is believed only where the signed body holds no verdict, and a word we
// cannot read may be one. Nor does it overrule a signed EXPIRED: the vendor has no
// word for a cancelled session in the body, so the two are no contradiction. That
// the customer sent more changes no verdict, so the header is believed in that.
func transitionOf(at standing, by says, final kycv1.Finality, unreadable bool) kycv1.SessionTransition {
	verdict := at.decision != kycv1.Decision_DECISION_UNSPECIFIED || unreadable
	switch {
	case at.transition == kycv1.SessionTransition_SESSION_TRANSITION_EXPIRED, by == saysExpired && !verdict:
		return kycv1.SessionTransition_SESSION_TRANSITION_EXPIRED
	case by == saysCancelled && !verdict:
		return kycv1.SessionTransition_SESSION_TRANSITION_CANCELLED
	case by == saysResubmitted:
		return kycv1.SessionTransition_SESSION_TRANSITION_RESUBMITTED
	case at.transition != kycv1.SessionTransition_SESSION_TRANSITION_UNSPECIFIED:
		return at.transition
	case final == kycv1.Finality_FINALITY_PRELIMINARY:
		return kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING
	case final == kycv1.Finality_FINALITY_FINAL, verdict && !unreadable:
		return kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED
	}
	return kycv1.SessionTransition_SESSION_TRANSITION_UNSPECIFIED
}

// finality reads "final". Anything but a boolean, null too, is taken for a no: acting too
// late is better than acting on what may still change. The deliveries of before 2021 have
// no such field; of those nothing is known.
func (r *run) finality() kycv1.Finality {
	switch v := r.Doc.At("final"); {
	case v.Kind() == providers.Absent:
		return kycv1.Finality_FINALITY_UNSPECIFIED
	case v.True():
		return kycv1.Finality_FINALITY_FINAL
	}
	return kycv1.Finality_FINALITY_PRELIMINARY
}

// decidedBy: a manual result of face or document is signed, the header's MANUAL is
// not.
func (r *run) decidedBy() kycv1.DecidedBy {
	status := r.Doc.At("status")
	byFace, byDocument := decider(faces, status, "Face"), decider(documents, status, "Document")
	return max(byFace, byDocument)
}

// reasons are the codes of all four lists. denyReasons have no documented
// vocabulary and may hold sentences or names: only what looks like the vendor's
// other codes leaves.
func (r *run) reasons() []string {
	var out []string
	add := func(list []string) {
		for _, code := range list {
			if !slices.Contains(out, code) && len(out) < 1000 {
				out = append(out, code)
			}
		}
	}
	status := r.Doc.At("status")
	add(r.tags("suspicion_reason", fraudTags, status.At("suspicionReasons")))
	add(r.tags("deny_reason", nil, status.At("denyReasons")))
	add(r.tags("fraud_tag", fraudTags, status.At("fraudTags")))
	add(r.tags("mismatch_tag", mismatchTags, status.At("mismatchTags")))
	return out
}

func (r *run) sessionAttributes() map[string]string {
	risk := r.Doc.At("riskAssessment")
	return r.externalRef(attributes(
		"platform", r.Doc.At("platform").Scalar(),
		"risk_level", risk.At("riskLevel").Scalar(),
		"risk_score", risk.At("riskScore").Scalar(),
		"document_type", r.Doc.At("data", "docType").Scalar(),
	))
}
