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
	for id, doc := range r.documents().Members() {
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

// documents are the documents by step. A sample of the vendor's calls them "document",
// against its own text.
func (r *run) documents() *providers.Value {
	if v := field(r.object, "documents"); v.Given() {
		return v
	}
	return field(r.object, "document")
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

// progress is where a step stands.
type progress struct {
	concluded bool // its outcome says the rest
	result    kycv1.CheckResult
}

var stepProgress = providers.Enum[progress]{
	"completed":  {concluded: true},
	"started":    {result: kycv1.CheckResult_CHECK_RESULT_PENDING},
	"notstarted": {result: kycv1.CheckResult_CHECK_RESULT_NOT_PERFORMED},
}

func (r *run) addDocument(id string, doc *providers.Value) {
	at, shown := providers.Say(&r.Mapping, "progress", stepProgress, field(doc, "progress"))
	outcome := field(doc, "validation_result", "validation_outcome")
	rules := field(doc, "has_passed_rules")
	if !shown.Given && !outcome.Given() && !rules.Given() {
		return
	}
	if outcome.Given() && (at.concluded || !shown.Given) {
		at.result, shown = providers.Say(&r.Mapping, "document_outcome", documentOutcomes, outcome)
	}
	r.addCheck(id, "documents", kycv1.CheckKind_CHECK_KIND_DOCUMENT, onlyIf(rules, at.result), shown.Text)
}

// onlyIf takes back that a check passed where the vendor's flag beside it says no, and
// leaves open what came of it where that is no flag at all.
func onlyIf(flag *providers.Value, result kycv1.CheckResult) kycv1.CheckResult {
	switch {
	case result != kycv1.CheckResult_CHECK_RESULT_PASSED || flag.True():
		return result
	case flag.Kind() == providers.Bool:
		return kycv1.CheckResult_CHECK_RESULT_REVIEW
	}
	return kycv1.CheckResult_CHECK_RESULT_UNSPECIFIED
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
	result, status := providers.Say(&r.Mapping, "selfie_status", selfieStatuses, field(selfie, "status"))
	if !status.Given {
		return
	}
	result = onlyIf(field(selfie, "is_live"), result)
	r.addCheck("", "selfie", kycv1.CheckKind_CHECK_KIND_LIVENESS, result, status.Text,
		field(selfie, "liveness_status_code").Text())
}
