package idwise

import (
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// stepKinds are the types of a step. A selfie is compared with the document's
// portrait, and checked for life on the way.
var stepKinds = providers.Enum[kycv1.CheckKind]{
	"document": kycv1.CheckKind_CHECK_KIND_DOCUMENT,
	"selfie":   kycv1.CheckKind_CHECK_KIND_FACE,
}

// step says that the customer submitted one step. It gives no result. Whether it
// comes on submission or after processing, and once for each side of a document,
// the vendor's pages disagree; both are read alike.
func step(r *run) error {
	kind, word := providers.Say(&r.Mapping, "step_type", stepKinds, r.body.At("stepType"))
	e := &kycv1.CheckEvent{
		Metadata: r.metadata(), Kind: kind, VendorKind: providers.Word(word.Text),
		Result: kycv1.CheckResult_CHECK_RESULT_PENDING, VendorResult: r.Type,
	}
	e.Metadata.Subject.StepId = r.body.At("stepId").ID()
	r.Add(e)
	return nil
}

// spotResults: an incomplete one waits for the customer.
var spotResults = providers.Enum[kycv1.CheckResult]{
	"complete":   kycv1.CheckResult_CHECK_RESULT_PASSED,
	"refer":      kycv1.CheckResult_CHECK_RESULT_REVIEW,
	"incomplete": kycv1.CheckResult_CHECK_RESULT_PENDING,
}

// journeyResults are further words of a journey. The pages show none of them on a spot
// check.
var journeyResults = providers.Enum[kycv1.CheckResult]{
	"approved": kycv1.CheckResult_CHECK_RESULT_PASSED,
	"rejected": kycv1.CheckResult_CHECK_RESULT_FAILED,
}

// spotCheck maps a new look at a known customer. It says nothing about the verdict
// of the journey that it looks back to, which is only a related one.
func spotCheck(known ...providers.Fields) providers.MapFunc {
	return mapper(func(r *run, id string) *kycv1.Subject {
		s := &kycv1.Subject{CheckId: id, ClientId: field(r.object, "applicant", "applicant_id").ID()}
		if of := r.body.At("journeyId").ID(); of != "" && of != id {
			s.RelatedSessionIds = []string{of}
		}
		return s
	}, addSpotCheck, known...)
}

func addSpotCheck(r *run) error {
	r.Incomplete = true
	e := &kycv1.CheckEvent{
		Metadata: r.metadata(), Kind: kycv1.CheckKind_CHECK_KIND_SPOT_CHECK, DecidedBy: r.verdict.by,
		ReasonCodes:  r.failedRules(),
		VendorResult: providers.FirstWord(r.verdict.word, r.Type),
	}
	if !r.verdict.strange {
		e.Result = r.spotResult()
	}
	if code := field(r.object, "selfie", "liveness_status_code").Text(); providers.IsCode(code) {
		e.ReasonCodes = append(e.ReasonCodes, code)
	}
	r.Add(e)
	return nil
}

// spotResult is what the decision that counts means for a spot check.
func (r *run) spotResult() kycv1.CheckResult {
	used := r.counts.used()
	if result, ok := spotResults.Of(used.Text); ok {
		return result
	}
	result, ok := journeyResults.Of(used.Text)
	if ok {
		r.Note("inferred", "spot_check="+used.Text)
	}
	return result
}
