package idwise

import (
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// maxBlocks bounds the checks that one journey makes.
const maxBlocks = 100

// addBlocks adds an event for each part of a fetched journey that has a result.
// screening_checks and device_intelligence have a form that has not been seen.
func (r *run) addBlocks() {
	for id, doc := range field(r.object, "documents").Members() {
		if len(r.Events) > maxBlocks {
			r.Note("documents", "")
			break
		}
		r.addDocument(id, doc)
		r.addFaceMatch(id, field(doc, "face_match_result"))
	}
	r.addSelfie(field(r.object, "selfie"))
	r.addScreening()
}

// addCheck adds a check of the journey, one of the given step if it has one.
func (r *run) addCheck(step, block string, kind kycv1.CheckKind, result kycv1.CheckResult, word string, codes ...string) {
	md := r.metadata()
	md.Subject.StepId = providers.IDOf(step)
	e := &kycv1.CheckEvent{
		Metadata: md, Kind: kind, Result: result, DecidedBy: kycv1.DecidedBy_DECIDED_BY_SYSTEM,
		VendorKind: block, VendorResult: providers.FirstWord(word, r.Type),
	}
	for _, c := range codes {
		if providers.IsCode(c) {
			e.ReasonCodes = append(e.ReasonCodes, c)
		}
	}
	r.Add(e)
}

// A document's own outcome is about its being genuine; a rule that failed beside
// it, such as an expired one, refers the journey to a human.
var documentOutcomes = providers.Enum[kycv1.CheckResult]{
	"passed": kycv1.CheckResult_CHECK_RESULT_PASSED,
	"failed": kycv1.CheckResult_CHECK_RESULT_FAILED,
}

// stepProgress is where a step stands; "completed" leaves it to the outcome.
var stepProgress = providers.Enum[kycv1.CheckResult]{
	"completed":  kycv1.CheckResult_CHECK_RESULT_UNSPECIFIED,
	"started":    kycv1.CheckResult_CHECK_RESULT_PENDING,
	"notstarted": kycv1.CheckResult_CHECK_RESULT_NOT_PERFORMED,
}

func (r *run) addDocument(id string, doc *providers.Value) {
	progress := wordOf(field(doc, "progress"))
	outcome := wordOf(field(doc, "validation_result", "validation_outcome"))
	rules := field(doc, "has_passed_rules")
	if !progress.Given && !outcome.Given && !rules.Given() {
		return
	}
	result, known := stepProgress.Of(progress.Text)
	if progress.Given && !known {
		r.Note("progress", progress.Text)
	}
	shown := progress
	if outcome.Given && (known || !progress.Given) && result == kycv1.CheckResult_CHECK_RESULT_UNSPECIFIED {
		result, known = documentOutcomes.Of(outcome.Text)
		if !known {
			r.Note("document_outcome", outcome.Text)
		}
		shown = outcome
	}
	if failed := rules.Kind() == providers.Bool && !rules.True(); failed && result == kycv1.CheckResult_CHECK_RESULT_PASSED {
		result = kycv1.CheckResult_CHECK_RESULT_REVIEW
	}
	r.addCheck(id, "documents", kycv1.CheckKind_CHECK_KIND_DOCUMENT, result, shown.Text)
}

func (r *run) addFaceMatch(id string, match *providers.Value) {
	matched := field(match, "is_matched")
	if matched.Kind() != providers.Bool {
		return
	}
	result := kycv1.CheckResult_CHECK_RESULT_FAILED
	switch {
	case matched.True() && r.verdict.strange:
		result = kycv1.CheckResult_CHECK_RESULT_UNSPECIFIED // a word beside it is new to us: nothing good is said
	case matched.True():
		result = kycv1.CheckResult_CHECK_RESULT_PASSED
	}
	r.addCheck(id, "face_match_result", kycv1.CheckKind_CHECK_KIND_FACE, result, matched.Scalar())
}

var selfieStatuses = providers.Enum[kycv1.CheckResult]{
	"complete":    kycv1.CheckResult_CHECK_RESULT_PASSED,
	"refer":       kycv1.CheckResult_CHECK_RESULT_REVIEW,
	"not started": kycv1.CheckResult_CHECK_RESULT_NOT_PERFORMED,
}

// addSelfie: the vendor calls the selfie's status that of its liveness.
func (r *run) addSelfie(selfie *providers.Value) {
	status, live := wordOf(field(selfie, "status")), field(selfie, "is_live")
	if !status.Given {
		return
	}
	result, known := selfieStatuses.Of(status.Text)
	if !known {
		r.Note("selfie_status", status.Text)
	}
	if result == kycv1.CheckResult_CHECK_RESULT_PASSED && live.Kind() == providers.Bool && !live.True() {
		result = kycv1.CheckResult_CHECK_RESULT_REVIEW
	}
	r.addCheck("", "selfie", kycv1.CheckKind_CHECK_KIND_LIVENESS, result, status.Text,
		field(selfie, "liveness_status_code").Text())
}
