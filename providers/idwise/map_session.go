package idwise

import (
	"slices"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// completed is the end of processing: the first, one after a renewal or a
// resubmission, or one that a reviewer's decision caused. In the last case the
// vendor's sample shows only the system's word, so the API knows more.
func completed(r *run) error {
	r.addVerdict(kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, "")
	r.addBlocks()
	return nil
}

// updated says that an ended journey's decision changed, and why. More actions
// than those known are announced; they change the decision as well.
func updated(r *run) error {
	source, action := providers.Say(&r.Mapping, "action", actions, r.body.At("action"))
	r.addVerdict(kycv1.SessionTransition_SESSION_TRANSITION_DECISION_CHANGED, action.Text)
	if isAML(action) {
		r.addAmlUpdate(source, action)
	}
	return nil
}

// actions are the known reasons for an update, with the source of the AML event
// that goes with it. A fourth one begins with "AML Ma"; the page is cut there.
var actions = providers.Enum[kycv1.AmlSource]{
	"step update":    kycv1.AmlSource_AML_SOURCE_UNSPECIFIED,
	"manual review":  kycv1.AmlSource_AML_SOURCE_UNSPECIFIED,
	"aml amend":      kycv1.AmlSource_AML_SOURCE_MANUAL_REVIEW,
	"aml ogm update": kycv1.AmlSource_AML_SOURCE_MONITORING,
}

// reviewed is the older way to say that a reviewer decided after completion.
func reviewed(r *run) error {
	r.addVerdict(kycv1.SessionTransition_SESSION_TRANSITION_DECISION_CHANGED, "")
	return nil
}

// addVerdict adds a verdict. Without a final decision, nor a reviewer's, the API
// may know of one.
func (r *run) addVerdict(t kycv1.SessionTransition, status string) {
	r.Incomplete = !r.said.settled()
	r.Add(&kycv1.SessionEvent{
		Metadata: r.metadata(), Transition: t, Decision: r.verdict.decision, DecidedBy: r.verdict.by,
		Finality: finality(r.verdict.decision), ReasonCodes: r.failedRules(),
		VendorStatus: providers.Word(status), VendorOutcome: r.verdict.word,
	})
}

// userSteps is the end of what the customer does. Processing goes on, so whatever
// the system decided so far is provisional.
func userSteps(r *run) error {
	r.Add(&kycv1.SessionEvent{
		Metadata: r.metadata(), Transition: kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING,
		Decision: r.given(), DecidedBy: r.verdict.by, Finality: kycv1.Finality_FINALITY_PRELIMINARY,
		VendorOutcome: r.verdict.word,
	})
	return nil
}

// given is the decision on an event that need not have one.
func (r *run) given() kycv1.Decision {
	if r.verdict.decision == undetermined {
		return kycv1.Decision_DECISION_UNSPECIFIED
	}
	return r.verdict.decision
}

// ruleResults are the words of a rule.
var ruleResults = providers.Enum[kycv1.CheckResult]{
	"passed": kycv1.CheckResult_CHECK_RESULT_PASSED,
	"failed": kycv1.CheckResult_CHECK_RESULT_FAILED,
}

// checkResults is a word that the checks of a document have beside those of a rule.
var checkResults = providers.Enum[kycv1.CheckResult]{
	"undetermined": kycv1.CheckResult_CHECK_RESULT_NOT_PERFORMED,
}

// failedRules are the keys of the rules that the fetched object says failed.
func (r *run) failedRules() []string {
	var out []string
	for key, rule := range field(r.object, "rule_results").Members() {
		result, _ := providers.Say(&r.Mapping, "rule_result", ruleResults, field(rule, "result"), checkResults)
		switch failed := result == kycv1.CheckResult_CHECK_RESULT_FAILED; {
		case failed && providers.IsCode(key) && len(out) < maxSteps:
			out = append(out, key)
		case failed:
			r.Note("rule", "")
		}
	}
	slices.Sort(out)
	return out
}
