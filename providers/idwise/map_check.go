package idwise

import (
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// stepFields come from the page about older step webhooks; the page about the
// current one has not been seen.
var stepFields = providers.Fields{"stepId": providers.AnyField, "stepType": providers.AnyField}

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
	kind := wordOf(r.body.At("stepType"))
	k, known := stepKinds.Of(kind.Text)
	if kind.Given && !known {
		r.Note("step_type", kind.Text)
	}
	e := &kycv1.CheckEvent{
		Metadata: r.metadata(), Kind: k, VendorKind: providers.Word(kind.Text),
		Result: kycv1.CheckResult_CHECK_RESULT_PENDING, VendorResult: r.Type,
	}
	e.Metadata.Subject.StepId = r.body.At("stepId").ID()
	r.Add(e)
	return nil
}

// spotResults: an incomplete one waits for the customer.
var spotResults = providers.Enum[kycv1.CheckResult]{
	"complete":   kycv1.CheckResult_CHECK_RESULT_PASSED,
	"approved":   kycv1.CheckResult_CHECK_RESULT_PASSED,
	"refer":      kycv1.CheckResult_CHECK_RESULT_REVIEW,
	"incomplete": kycv1.CheckResult_CHECK_RESULT_PENDING,
	"rejected":   kycv1.CheckResult_CHECK_RESULT_FAILED,
}

var spotFields = providers.Fields{"spotCheckJourneyId": providers.AnyField, "ongoingCheckId": providers.AnyField}

// spotCheck maps a new look at a known customer. It says nothing about the verdict
// of the journey that it looks back to, which is only a related one.
func spotCheck() providers.MapFunc {
	return mapper(spotFields, func(r *run, id string) *kycv1.Subject {
		s := &kycv1.Subject{CheckId: id, ClientId: field(r.object, "applicant", "applicant_id").ID()}
		if of := r.body.At("journeyId").ID(); of != "" && of != id {
			s.RelatedSessionIds = []string{of}
		}
		return s
	}, addSpotCheck)
}

func addSpotCheck(r *run) error {
	r.Incomplete = true
	e := &kycv1.CheckEvent{
		Metadata: r.metadata(), Kind: kycv1.CheckKind_CHECK_KIND_SPOT_CHECK, DecidedBy: r.verdict.by,
		ReasonCodes:  r.failedRules(),
		VendorResult: providers.FirstWord(r.verdict.word, r.Type),
	}
	if !r.verdict.strange {
		e.Result = spotResults[fold(r.verdict.word)]
	}
	if code := field(r.object, "selfie", "liveness_status_code").Text(); providers.IsCode(code) {
		e.ReasonCodes = append(e.ReasonCodes, code)
	}
	r.Add(e)
	return nil
}
