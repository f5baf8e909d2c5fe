package idenfy

import (
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Short names for what the vocabularies are made of.
const (
	pending      = kycv1.CheckResult_CHECK_RESULT_PENDING
	passed       = kycv1.CheckResult_CHECK_RESULT_PASSED
	failed       = kycv1.CheckResult_CHECK_RESULT_FAILED
	review       = kycv1.CheckResult_CHECK_RESULT_REVIEW
	notPerformed = kycv1.CheckResult_CHECK_RESULT_NOT_PERFORMED
	technical    = kycv1.CheckResult_CHECK_RESULT_ERROR
	outOfDate    = kycv1.CheckResult_CHECK_RESULT_EXPIRED
	unsaid       = kycv1.CheckResult_CHECK_RESULT_UNSPECIFIED
)

type results = providers.Enum[kycv1.CheckResult]

// faces are the words of autoFace and manualFace.
var faces = results{
	"face_match": passed, "face_mismatch": failed, "no_face_found": failed, "too_many_faces": failed,
	"face_too_blurry": failed, "face_glared": failed, "fake_face": failed, "face_uncertain": review,
	"face_suspected": review, "face_blacklisted": failed,
	"face_not_checked": notPerformed, "face_not_analysed": notPerformed, "face_error": technical, "auto_unverifiable": pending,
}

// documents are the words of autoDocument and manualDocument.
var documents = results{
	"doc_validated": passed, "doc_expired": outOfDate, "doc_not_analysed": notPerformed, "doc_error": technical,
	"nfc_init_failed": technical, "nfc_timeout": technical, "auto_unverifiable": pending,

	"doc_info_mismatch": failed, "doc_not_found": failed, "doc_not_fully_visible": failed, "doc_face_not_found": failed,
	"doc_too_blurry": failed, "doc_glared": failed, "doc_face_glared": failed, "mrz_not_found": failed,
	"mrz_ocr_reading_error": failed, "mrz_invalid": failed, "barcode_not_found": failed, "doc_not_supported": failed,
	"country_not_supported": failed, "country_mismatch": failed, "doc_type_mismatch": failed, "doc_subtype_mismatch": failed,
	"doc_side_mismatch": failed, "doc_damaged": failed, "doc_fake": failed, "doc_spoof_detected": failed,
	"doc_personal_code_invalid": failed, "doc_not_allowed": failed, "doc_name_error": failed, "doc_surname_error": failed,
	"doc_expiry_error": failed, "doc_dob_error": failed, "doc_personal_number_error": failed, "doc_number_error": failed,
	"doc_date_of_issue_error": failed, "doc_sex_error": failed, "doc_nationality_error": failed,
	"eid_failed": failed, "nfc_failed": failed,
}

var additionalSteps = results{"valid": passed, "invalid": failed, "not_found": notPerformed}

var addressStatuses = results{"verified": passed, "partially_verified": review, "unverified": failed}

var cardStatuses = results{"match": passed, "no_match": failed, "not_compared": notPerformed}

// registryFields are the words of each compared field of a United States registry.
var registryFields = results{
	"match": passed, "no_match": failed, "invalid": failed, "partial_match": review, "no_data": notPerformed, "no_input": notPerformed,
}

// suspicions are the words of a service result. Those of failure are on the page of one
// service, for all of them.
var suspicions = results{
	"suspected": review, "not_suspected": passed, "service_not_found": notPerformed,
	"data_error": technical, "internal_error": technical, "check_failed": technical,
}

var faceAuthentications = results{
	"success": passed, "failed": failed, "expired": outOfDate, "canceled": notPerformed, "pending": pending,
}

// faceCancelled is the spelling that the vendor uses of verifications.
var faceCancelled = results{"cancelled": notPerformed}

var ageOutcomes = results{
	"success": passed, "underage": failed, "uncertain": review, "face_mismatch": failed, "attempts_exceeded": failed,
}

// orders are the words for a report that was ordered from a registry.
var orders = results{
	"finished": passed, "failed": technical, "timed_out": outOfDate, "in_progress": pending, "not_ordered": notPerformed,
}

// riskLevels are known words, and none of them is a result.
var riskLevels = providers.Enum[struct{}]{"very_low": {}, "low": {}, "medium": {}, "high": {}, "very_high": {}, "not_checked": {}}

// gravity orders results: of several, the gravest is said. A word that is new to
// us outweighs a pass.
var gravity = map[kycv1.CheckResult]int{
	notPerformed: 1, passed: 2, pending: 3, outOfDate: 4, technical: 5, unsaid: 6, review: 7, failed: 8,
}

// flags are the words of an AML category, by themselves or in total.
var flags = providers.Enum[kycv1.AmlStatus]{
	"not_checked":    kycv1.AmlStatus_AML_STATUS_NOT_CHECKED,
	"no_flags":       kycv1.AmlStatus_AML_STATUS_CLEAR,
	"flags_found":    kycv1.AmlStatus_AML_STATUS_POTENTIAL_HIT,
	"true_positive":  kycv1.AmlStatus_AML_STATUS_CONFIRMED_HIT,
	"false_positive": kycv1.AmlStatus_AML_STATUS_DISMISSED,
}

// severity orders findings: the event says the most serious of them.
var severity = map[kycv1.AmlStatus]int{
	kycv1.AmlStatus_AML_STATUS_NOT_CHECKED:        1,
	kycv1.AmlStatus_AML_STATUS_CLEAR:              2,
	kycv1.AmlStatus_AML_STATUS_DISMISSED:          3,
	kycv1.AmlStatus_AML_STATUS_PENDING:            4,
	kycv1.AmlStatus_AML_STATUS_MONITORING_STOPPED: 5,
	kycv1.AmlStatus_AML_STATUS_ERROR:              6,
	kycv1.AmlStatus_AML_STATUS_UNSPECIFIED:        7, // a word that is new to us
	kycv1.AmlStatus_AML_STATUS_UNDETERMINED:       8,
	kycv1.AmlStatus_AML_STATUS_POTENTIAL_HIT:      9,
	kycv1.AmlStatus_AML_STATUS_CONFIRMED_HIT:      10,
}

// screeningResults is what a screening's status makes of its check. A confirmed
// match is for a human to judge, not a failure.
var screeningResults = map[kycv1.AmlStatus]kycv1.CheckResult{
	kycv1.AmlStatus_AML_STATUS_CLEAR:         passed,
	kycv1.AmlStatus_AML_STATUS_DISMISSED:     passed,
	kycv1.AmlStatus_AML_STATUS_POTENTIAL_HIT: review,
	kycv1.AmlStatus_AML_STATUS_CONFIRMED_HIT: review,
	kycv1.AmlStatus_AML_STATUS_UNDETERMINED:  review,
	kycv1.AmlStatus_AML_STATUS_PENDING:       pending,
	kycv1.AmlStatus_AML_STATUS_NOT_CHECKED:   notPerformed,
	kycv1.AmlStatus_AML_STATUS_ERROR:         technical,
}
