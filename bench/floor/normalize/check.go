package main

import (
	"strings"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// matchConfirmed is an outcome that only screenings have.
const matchConfirmed = "match_confirmed"

var checkKinds = map[string]kycv1.CheckKind{
	"standard_screening_check":  kycv1.CheckKind_CHECK_KIND_AML_SCREENING,
	"extensive_screening_check": kycv1.CheckKind_CHECK_KIND_AML_SCREENING,
	"document_check":            kycv1.CheckKind_CHECK_KIND_DOCUMENT,
	"driving_license_check":     kycv1.CheckKind_CHECK_KIND_DOCUMENT,
	"identity_check":            kycv1.CheckKind_CHECK_KIND_IDENTITY,
	"enhanced_identity_check":   kycv1.CheckKind_CHECK_KIND_IDENTITY,
	"face_authentication_check": kycv1.CheckKind_CHECK_KIND_FACE,
	"age_estimation_check":      kycv1.CheckKind_CHECK_KIND_AGE,
	"proof_of_address_check":    kycv1.CheckKind_CHECK_KIND_ADDRESS,
	"multi_bureau_check":        kycv1.CheckKind_CHECK_KIND_REGISTRY,
	"ssn_check":                 kycv1.CheckKind_CHECK_KIND_REGISTRY,
	"identity_fraud_check":      kycv1.CheckKind_CHECK_KIND_FRAUD,
	"device_intelligence_check": kycv1.CheckKind_CHECK_KIND_DEVICE,
	"email_intelligence_check":  kycv1.CheckKind_CHECK_KIND_EMAIL,
	"mobile_intelligence_check": kycv1.CheckKind_CHECK_KIND_PHONE,
	"eid_check":                 kycv1.CheckKind_CHECK_KIND_EID,
}

// standing is where a check stands, for both of its events.
type standing struct {
	result kycv1.CheckResult
	aml    kycv1.AmlStatus
}

// unsaid is complete, and nothing says how.
var unsaid = standing{aml: kycv1.AmlStatus_AML_STATUS_UNDETERMINED}

var statuses = map[string]standing{
	"pending":  {kycv1.CheckResult_CHECK_RESULT_PENDING, kycv1.AmlStatus_AML_STATUS_PENDING},
	"failed":   {kycv1.CheckResult_CHECK_RESULT_ERROR, kycv1.AmlStatus_AML_STATUS_ERROR},
	"complete": unsaid,
}

var outcomes = map[string]standing{
	"clear":         {kycv1.CheckResult_CHECK_RESULT_PASSED, kycv1.AmlStatus_AML_STATUS_CLEAR},
	"attention":     {kycv1.CheckResult_CHECK_RESULT_REVIEW, kycv1.AmlStatus_AML_STATUS_POTENTIAL_HIT},
	"rejected":      {kycv1.CheckResult_CHECK_RESULT_FAILED, kycv1.AmlStatus_AML_STATUS_UNSPECIFIED},
	matchConfirmed:  {kycv1.CheckResult_CHECK_RESULT_REVIEW, kycv1.AmlStatus_AML_STATUS_CONFIRMED_HIT},
	"not_processed": {kycv1.CheckResult_CHECK_RESULT_NOT_PERFORMED, kycv1.AmlStatus_AML_STATUS_NOT_CHECKED},
}

// says is what the type of an event says by itself.
type says struct {
	status, outcome string
	monitored       bool
}

func typeSays(name string) says {
	switch rest := strings.TrimPrefix(name, "check."); rest {
	case "updated":
		return says{}
	case "pending", "failed":
		return says{status: rest}
	case "monitoring.attention":
		return says{"complete", "attention", true}
	default: // completed, with or without its outcome
		return says{status: "complete", outcome: strings.TrimPrefix(strings.TrimPrefix(rest, "completed"), ".")}
	}
}

// check makes the event of a check, and of a screening a second one.
func (w *webhook) check(name string) []event {
	by, outcome, t := typeSays(name), w.payload.verdict(), w.payload.checkType.term()
	if !outcome.given {
		outcome.word = by.outcome
	}
	at, said := w.standing(by, w.payload.status.term(), outcome)
	kind, screening := checkKinds[strings.ToLower(t.word)], by.monitored || outcome.is(matchConfirmed)
	if !t.given && screening {
		kind = kycv1.CheckKind_CHECK_KIND_AML_SCREENING
	}
	incomplete := kind == kycv1.CheckKind_CHECK_KIND_UNSPECIFIED && t.word == "" || at == unsaid
	check := &kycv1.CheckEvent{
		Metadata: w.checkMetadata(incomplete), Kind: kind, VendorKind: word(t.word),
		Result: at.result, VendorResult: said, Monitored: by.monitored,
	}
	events := []event{{checkKind, check, check.Metadata}}
	if !screening && kind != kycv1.CheckKind_CHECK_KIND_AML_SCREENING {
		return events
	}
	aml := &kycv1.AmlEvent{
		Metadata: w.checkMetadata(incomplete), Source: kycv1.AmlSource_AML_SOURCE_SCREENING, Status: at.aml, VendorStatus: said,
	}
	if by.monitored {
		aml.Source = kycv1.AmlSource_AML_SOURCE_MONITORING
	}
	return append(events, event{amlKind, aml, aml.Metadata})
}

// standing is where the check stands, and the vendor's word that decided.
func (w *webhook) standing(by says, status, outcome term) (standing, string) {
	at, known := statuses[by.status], true
	if status.given {
		at, known = statuses[strings.ToLower(status.word)]
	}
	switch {
	case !known, at.result != kycv1.CheckResult_CHECK_RESULT_UNSPECIFIED: // pending or failed
		return at, firstWord(status.word, w.eventType.s)
	case outcome.word == "" && !outcome.given:
		return unsaid, firstWord(status.word, w.eventType.s)
	}
	return outcomes[strings.ToLower(outcome.word)], firstWord(outcome.word, status.word, w.eventType.s)
}

func (w *webhook) checkMetadata(incomplete bool) *kycv1.EventMetadata {
	p := &w.payload
	return w.metadata(&kycv1.Subject{CheckId: p.id.id(), DocumentId: p.documentID.id(), AddressId: p.addressID.id()}, incomplete,
		"status", strings.ToLower(p.status.term().word), "outcome", strings.ToLower(p.verdict().word),
		"enable_monitoring", p.monitoring.flag(), "live_photo_id", p.livePhotoID.id(), "live_video_id", p.liveVideoID.id())
}
