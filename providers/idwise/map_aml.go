package idwise

import (
	"strings"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// shorthands for the states of a screening
const (
	amlClear     = kycv1.AmlStatus_AML_STATUS_CLEAR
	amlDismissed = kycv1.AmlStatus_AML_STATUS_DISMISSED
	amlHit       = kycv1.AmlStatus_AML_STATUS_POTENTIAL_HIT
	amlUnclear   = kycv1.AmlStatus_AML_STATUS_UNDETERMINED
	amlUnknown   = kycv1.AmlStatus_AML_STATUS_UNSPECIFIED
)

var amlFields = providers.Fields{"previousSystemDecision": true, "updatedAMLVersionNumber": true}

// amlMonitored: monitoring found that a match came, went or changed. The delivery
// does not say which; that the system now refers the journey is a hint.
func amlMonitored(r *reading) error {
	r.Incomplete = true
	now, before := wordOf(r.body.At("systemDecision")), wordOf(r.body.At("previousSystemDecision"))
	previous, known := finalWords.Of(before.text) // an older page says that a reviewer's word may stand here
	if before.given && !known {
		r.Note("previous_system_decision", before.text)
	}
	e := r.aml(kycv1.AmlSource_AML_SOURCE_MONITORING, r.screening(), now)
	e.PreviousDecision, e.VendorPreviousDecision = previous, providers.Word(before.text)
	e.NewDecision, e.VendorNewDecision = systemWords[strings.ToLower(now.text)], providers.Word(now.text)
	e.Metadata.VendorSequence = r.version()
	r.Add(e)
	if now.given && before.given && !now.is(before.text) {
		r.addVerdict(kycv1.SessionTransition_SESSION_TRANSITION_DECISION_CHANGED, "")
		r.Incomplete = true
	}
	return nil
}

// version orders the AML updates of one applicant.
func (r *reading) version() string {
	v := r.body.At("updatedAMLVersionNumber")
	s := v.Scalar()
	if s != "" && len(s) <= 40 && strings.Trim(s, "0123456789") == "" {
		return s
	}
	if v.Given() {
		r.Note("aml_version", "")
	}
	return ""
}

// isAML reports whether an update is about AML, which also holds for actions that
// are new to us.
func isAML(action word) bool { return strings.HasPrefix(strings.ToLower(action.text), "aml ") }

// addAmlUpdate adds what an update of the journey says about AML: something
// changed. The API knows what.
func (r *reading) addAmlUpdate(source kycv1.AmlSource, action word) {
	r.Incomplete = true
	e := r.aml(source, r.screening(), word{})
	e.NewDecision, e.VendorNewDecision = r.given(), r.verdict.word
	e.VendorStatus = providers.Word(action.text)
	r.Add(e)
}

// aml is an AML event; decision is the system's, where it may hint at a match.
func (r *reading) aml(source kycv1.AmlSource, s screening, decision word) *kycv1.AmlEvent {
	status := s.status
	d, known := systemWords.Of(decision.text)
	switch {
	case d == kycv1.Decision_DECISION_REVIEW || d == kycv1.Decision_DECISION_DECLINED:
		status = amlHit
	case !s.said, status == amlUnknown:
		status = amlUnclear
	case isGoodAML(status) && decision.given && !known:
		status = amlUnclear
	}
	return &kycv1.AmlEvent{
		Metadata: r.metadata(), Source: source, Status: status, HitCount: s.hits, Findings: s.findings,
	}
}

func isGoodAML(s kycv1.AmlStatus) bool { return s == amlClear || s == amlDismissed }
