package idnow

import (
	"strings"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// objectStep is where the fetched object says what the webhook's fields say.
var objectStep = map[string]string{"lastStepId": "stepId", "lastStepType": "stepType", "lastStepStatus": "verdict"}

// step finds a field of the last step. Open question: the vendor's table lists the
// fields without "payload." right after some that have it, so both places
// are read, the table's first; the object's only where the webhook has none of the three.
func (r *run) step(name string) *providers.Value {
	for _, place := range []*providers.Value{r.data, r.payload} {
		if v := place.At(name); v.Given() {
			return v
		}
	}
	for field := range objectStep {
		if r.payload.At(field).Given() || r.data.At(field).Given() {
			return nil
		}
	}
	return r.object.At("lastStep", objectStep[name])
}

// documentResults are the routes of Document-based IDV, and its verdicts in older pages.
var documentResults = providers.Enum[kycv1.CheckResult]{
	"verified":       kycv1.CheckResult_CHECK_RESULT_PASSED,
	"not_verified":   kycv1.CheckResult_CHECK_RESULT_FAILED,
	"fraud_detected": kycv1.CheckResult_CHECK_RESULT_FAILED,
	"fraud":          kycv1.CheckResult_CHECK_RESULT_FAILED,
	"failure":        kycv1.CheckResult_CHECK_RESULT_FAILED,
}

// otherResults are words of neighbours: of whole sessions, of a data block, of a screening. No page shows them, or
// those above, as what another step became.
var otherResults = providers.Enum[kycv1.CheckResult]{
	"accepted":     kycv1.CheckResult_CHECK_RESULT_PASSED,
	"success":      kycv1.CheckResult_CHECK_RESULT_PASSED,
	"rejected":     kycv1.CheckResult_CHECK_RESULT_FAILED,
	"inconclusive": kycv1.CheckResult_CHECK_RESULT_REVIEW,
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
		r.addScreening(e)
		return
	}
	var documented providers.Enum[kycv1.CheckResult]
	if e.Kind == kycv1.CheckKind_CHECK_KIND_DOCUMENT {
		documented = documentResults
	}
	e.Result, _ = providers.Say(&r.Mapping, "step_status", documented, r.step("lastStepStatus"), documentResults, otherResults)
	if result.Is("fraud_detected") || result.Is("fraud") {
		e.ReasonCodes = []string{result.Text}
	}
	r.Add(e)
}

func (r *run) addScreening(e *kycv1.CheckEvent) {
	says, _ := providers.Say(&r.Mapping, "step_status", screenings, r.step("lastStepStatus"))
	e.Result = says.check
	r.Add(e)
	r.Add(&kycv1.AmlEvent{
		Metadata: r.metadata(e.Metadata.Subject.StepId), Source: kycv1.AmlSource_AML_SOURCE_SCREENING,
		Status: says.aml, VendorStatus: e.VendorResult,
	})
}

// stepKind knows a step by the title of its page, however it is written. Open
// question: the words of lastStepType are listed nowhere, but for START and END.
func (r *run) stepKind(typ providers.Term) kycv1.CheckKind {
	letters := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' {
			return c
		}
		return -1
	}, strings.ToLower(typ.Text))
	kind := kycv1.CheckKind_CHECK_KIND_UNSPECIFIED
	switch {
	case letters == "documentbasedidv":
		kind = kycv1.CheckKind_CHECK_KIND_DOCUMENT
	case strings.HasPrefix(letters, "aml"):
		kind = kycv1.CheckKind_CHECK_KIND_AML_SCREENING
	default:
		r.Note("step_type", typ.Text)
		return kind
	}
	r.Note("inferred", "step_type="+typ.Text)
	return kind
}
