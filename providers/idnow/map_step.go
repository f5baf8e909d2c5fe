package idnow

import (
	"strings"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// objectStep is where the fetched object says what the webhook's fields say.
var objectStep = map[string]string{"lastStepId": "stepId", "lastStepType": "stepType", "lastStepStatus": "verdict"}

// step finds a field of the last step. Open question: the vendor's table lists the
// fields without "payload." while everything around them has it, so both places
// are read; the object's only where the webhook has none of the three.
func (r *run) step(name string) *providers.Value {
	for _, place := range []*providers.Value{r.payload, r.data} {
		if v := place.At(name); v.Given() {
			return v
		}
	}
	for field := range stepFields {
		if r.payload.At(field).Given() || r.data.At(field).Given() {
			return nil
		}
	}
	return r.object.At("lastStep", objectStep[name])
}

// stepResults are the routes and verdicts of every step but a screening.
var stepResults = providers.Enum[kycv1.CheckResult]{
	"verified":       kycv1.CheckResult_CHECK_RESULT_PASSED,
	"accepted":       kycv1.CheckResult_CHECK_RESULT_PASSED,
	"success":        kycv1.CheckResult_CHECK_RESULT_PASSED,
	"not_verified":   kycv1.CheckResult_CHECK_RESULT_FAILED,
	"rejected":       kycv1.CheckResult_CHECK_RESULT_FAILED,
	"failure":        kycv1.CheckResult_CHECK_RESULT_FAILED,
	"fraud_detected": kycv1.CheckResult_CHECK_RESULT_FAILED,
	"fraud":          kycv1.CheckResult_CHECK_RESULT_FAILED,
	"inconclusive":   kycv1.CheckResult_CHECK_RESULT_REVIEW,
}

// screening is what a route of a screening step means. It has words of its own:
// "no_match" is good news there and bad news of two faces, and "success" may be
// no more than that the screening ran.
type screening struct {
	check kycv1.CheckResult
	aml   kycv1.AmlStatus
}

var screenings = providers.Enum[screening]{
	"match":        {kycv1.CheckResult_CHECK_RESULT_REVIEW, kycv1.AmlStatus_AML_STATUS_POTENTIAL_HIT},
	"no_match":     {kycv1.CheckResult_CHECK_RESULT_PASSED, kycv1.AmlStatus_AML_STATUS_CLEAR},
	"inconclusive": {kycv1.CheckResult_CHECK_RESULT_REVIEW, kycv1.AmlStatus_AML_STATUS_UNDETERMINED},
}

// addStep adds the check that the last step was. START and END are no checks.
func (r *run) addStep() {
	typ, result := providers.TermOf(r.step("lastStepType")), providers.TermOf(r.step("lastStepStatus"))
	if typ.Text == "" || result.Text == "" || typ.Is("START") || typ.Is("END") {
		return
	}
	e := &kycv1.CheckEvent{
		Metadata: r.metadata(r.step("lastStepId").ID()), Kind: r.stepKind(typ),
		VendorKind:   providers.Word(typ.Text),
		VendorResult: providers.FirstWord(result.Text, r.status.said(), r.Type),
	}
	if e.Kind == kycv1.CheckKind_CHECK_KIND_AML_SCREENING {
		r.addScreening(e, result)
		return
	}
	known := false
	if e.Result, known = stepResults.Of(result.Text); !known {
		r.Note("step_status", result.Text)
	}
	if result.Is("fraud_detected") || result.Is("fraud") {
		e.ReasonCodes = []string{result.Text}
	}
	r.Add(e)
}

func (r *run) addScreening(e *kycv1.CheckEvent, result providers.Term) {
	says, known := screenings.Of(result.Text)
	if !known {
		r.Note("step_status", result.Text)
	}
	e.Result = says.check
	r.Add(e)
	r.Add(&kycv1.AmlEvent{
		Metadata: r.metadata(e.Metadata.Subject.StepId), Source: kycv1.AmlSource_AML_SOURCE_SCREENING,
		Status: says.aml, VendorStatus: e.VendorResult,
	})
}

// stepKind knows a step by the title of its page, however it is written. Open
// question: the words of lastStepType are listed nowhere.
func (r *run) stepKind(typ providers.Term) kycv1.CheckKind {
	letters := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' {
			return c
		}
		return -1
	}, strings.ToLower(typ.Text))
	switch {
	case letters == "documentbasedidv":
		return kycv1.CheckKind_CHECK_KIND_DOCUMENT
	case strings.HasPrefix(letters, "aml"):
		return kycv1.CheckKind_CHECK_KIND_AML_SCREENING
	}
	r.Note("step_type", typ.Text)
	return kycv1.CheckKind_CHECK_KIND_UNSPECIFIED
}
