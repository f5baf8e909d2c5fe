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

// amlMonitored: monitoring found that a match came, went or changed. The delivery
// does not say which; that the system now refers the journey is a hint.
func amlMonitored(r *run) error {
	r.Incomplete = true
	now, before := r.said.system, word{}
	// An older page says that a reviewer's word may stand here.
	before.decision, before.Term = providers.Say(&r.Mapping, "previous_system_decision", finalWords, r.body.At("previousSystemDecision"))
	strange := r.verdict.strange || before.strange() || now.strange()
	e := r.aml(kycv1.AmlSource_AML_SOURCE_MONITORING, r.screening(strange))
	if now.decision == kycv1.Decision_DECISION_REVIEW || now.decision == kycv1.Decision_DECISION_DECLINED {
		e.Status = amlHit
	}
	e.PreviousDecision, e.VendorPreviousDecision = before.decision, providers.Word(before.Text)
	e.NewDecision, e.VendorNewDecision = now.decision, providers.Word(now.Text)
	e.Metadata.VendorSequence = r.version()
	r.Add(e)
	if now.Given && before.Given && !now.Is(before.Text) {
		r.addVerdict(kycv1.SessionTransition_SESSION_TRANSITION_DECISION_CHANGED, "")
		r.Incomplete = true
	}
	return nil
}

// version orders the AML updates of one applicant.
func (r *run) version() string {
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
func isAML(action providers.Term) bool {
	return strings.HasPrefix(strings.ToLower(action.Text), "aml ")
}

// addAmlUpdate adds what an update of the journey says about AML: something
// changed. The API knows what.
func (r *run) addAmlUpdate(source kycv1.AmlSource, action providers.Term) {
	r.Incomplete = true
	e := r.aml(source, r.screening(r.verdict.strange))
	e.NewDecision, e.VendorNewDecision = r.given(), r.verdict.word
	e.VendorStatus = providers.Word(action.Text)
	r.Add(e)
}

// aml is an AML event. Where nothing was fetched, or nothing that can be read, it
// says that something changed.
func (r *run) aml(source kycv1.AmlSource, s screening) *kycv1.AmlEvent {
	status := s.status
	if !s.said || status == amlUnknown {
		status = amlUnclear
	}
	return &kycv1.AmlEvent{
		Metadata: r.metadata(), Source: source, Status: status, HitCount: s.hits, Findings: s.findings,
	}
}
