package complycube

import (
	"cmp"
	"strings"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// matchConfirmed is an outcome that only screenings have.
const matchConfirmed = "match_confirmed"

// says is what the type of a check event says by itself.
type says struct {
	status, outcome string // vendor's words; "" where the type leaves it open
	monitored       bool
}

var checkKinds = providers.Enum[kycv1.CheckKind]{
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

// standing is where a check stands, for both of its events; zero, and so never a pass, for
// a word that is new to us.
type standing struct {
	result kycv1.CheckResult
	aml    kycv1.AmlStatus
}

// unsaid is the standing of a check that is complete without an outcome.
var unsaid = standing{aml: kycv1.AmlStatus_AML_STATUS_UNDETERMINED}

// The status "complete" is decided by the outcome.
var checkStatuses = providers.Enum[standing]{
	"pending":  {kycv1.CheckResult_CHECK_RESULT_PENDING, kycv1.AmlStatus_AML_STATUS_PENDING},
	"failed":   {kycv1.CheckResult_CHECK_RESULT_ERROR, kycv1.AmlStatus_AML_STATUS_ERROR},
	"complete": unsaid,
}

// A screening has no outcome "rejected": its AmlEvent then shows only the word.
var checkOutcomes = providers.Enum[standing]{
	"clear":         {kycv1.CheckResult_CHECK_RESULT_PASSED, kycv1.AmlStatus_AML_STATUS_CLEAR},
	"attention":     {kycv1.CheckResult_CHECK_RESULT_REVIEW, kycv1.AmlStatus_AML_STATUS_POTENTIAL_HIT},
	"rejected":      {kycv1.CheckResult_CHECK_RESULT_FAILED, kycv1.AmlStatus_AML_STATUS_UNSPECIFIED},
	matchConfirmed:  {kycv1.CheckResult_CHECK_RESULT_REVIEW, kycv1.AmlStatus_AML_STATUS_CONFIRMED_HIT},
	"not_processed": {kycv1.CheckResult_CHECK_RESULT_NOT_PERFORMED, kycv1.AmlStatus_AML_STATUS_NOT_CHECKED},
}

// check maps the events that report how a check stands.
func check(by says) providers.MapFunc {
	return mapper(func(r *run) error { return r.check(by) }, checkFields, owned)
}

// checkUpdated is a report where the update touches status or outcome, and a
// resource change otherwise.
var checkUpdated = mapper(func(r *run) error {
	if r.payload.At("status").Given() || outcomeOf(r.payload).Given() {
		return r.check(says{})
	}
	r.addResource(checkResource, kycv1.Change_CHANGE_UPDATED, nil)
	return nil
}, checkFields, owned)

func (r *run) check(by says) error {
	if err := r.agree(by, providers.TermOf(r.payload.At("status")), providers.TermOf(outcomeOf(r.payload))); err != nil {
		return err
	}
	at, outcome, vendorWord := r.standing(by)
	if object := r.complete(); at == unsaid {
		r.conclude(object)
		at, outcome, vendorWord = r.standing(by)
	}
	screening := by.monitored || outcome.Is(matchConfirmed)
	kind, vendorKind := r.checkKind(screening)
	screening = screening || kind == kycv1.CheckKind_CHECK_KIND_AML_SCREENING
	r.Incomplete = kind == kycv1.CheckKind_CHECK_KIND_UNSPECIFIED && vendorKind == "" || at == unsaid
	r.Add(&kycv1.CheckEvent{
		Metadata: r.checkMetadata(), Kind: kind, VendorKind: vendorKind,
		Result: at.result, VendorResult: vendorWord, Monitored: by.monitored,
	})
	if screening {
		r.Add(&kycv1.AmlEvent{
			Metadata: r.checkMetadata(), Source: amlSource(by.monitored),
			Status: at.aml, VendorStatus: vendorWord,
		})
	}
	return nil
}

// agree refuses a delivery that contradicts itself. It looks at what the webhook
// says alone: the fetched object may tell of a later day without a contradiction.
func (r *run) agree(by says, status, outcome providers.Term) error {
	if _, known := checkStatuses.Of(status.Text); known && by.status != "" && !status.Is(by.status) {
		return providers.Contradicts("payload.status", "the event type says "+by.status)
	}
	if outcome.Given && by.outcome != "" && !outcome.Is(by.outcome) {
		return providers.Contradicts("payload.outcome", "the event type says "+by.outcome)
	}
	if full := providers.TermOf(r.payload.At("result", "outcome")); full.Given && !full.Is(outcome.Text) {
		return providers.Contradicts("payload.result.outcome", "payload.outcome says something else")
	}
	if !status.Given {
		status.Text = by.status
	}
	_, verdict := checkOutcomes.Of(outcome.Text)
	if verdict && !outcome.Is("not_processed") && (status.Is("pending") || status.Is("failed")) {
		return providers.Contradicts("payload.outcome", "a check has one only when it is complete")
	}
	return nil
}

// standing reads status and outcome together, with the outcome's word and the
// vendor's word that decided: else its status, else the event type.
func (r *run) standing(by says) (at standing, outcome providers.Term, decided string) {
	at, status := providers.Say(&r.Mapping, "status", checkStatuses, r.payload.At("status"))
	ended, outcome := providers.Say(&r.Mapping, "outcome", checkOutcomes, outcomeOf(r.payload))
	if !status.Given {
		at = checkStatuses[cmp.Or(by.status, "complete")]
	}
	if !outcome.Given {
		ended, outcome.Text = checkOutcomes[by.outcome], by.outcome
	}
	if at != unsaid || !outcome.Given && outcome.Text == "" { // unknown, pending, failed, or not said
		return at, outcome, providers.FirstWord(status.Text, r.Type)
	}
	return ended, outcome, providers.FirstWord(outcome.Text, status.Text, r.Type)
}

func (r *run) checkKind(screening bool) (kycv1.CheckKind, string) {
	kind, word := providers.Say(&r.Mapping, "check_type", checkKinds, r.payload.At("type"))
	if !word.Given && screening {
		kind = kycv1.CheckKind_CHECK_KIND_AML_SCREENING
	}
	return kind, providers.Word(word.Text)
}

func (r *run) checkMetadata() *kycv1.EventMetadata {
	md := r.metadata(&kycv1.Subject{
		CheckId:    r.id,
		DocumentId: r.payload.At("documentId").ID(),
		AddressId:  r.payload.At("addressId").ID(),
	})
	md.VendorAttributes = providers.Attributes(
		"status", strings.ToLower(providers.TermOf(r.payload.At("status")).Text),
		"outcome", strings.ToLower(providers.TermOf(outcomeOf(r.payload)).Text),
		"enable_monitoring", r.payload.At("enableMonitoring").Flag(),
		"live_photo_id", r.payload.At("livePhotoId").ID(),
		"live_video_id", r.payload.At("liveVideoId").ID(),
	)
	return md
}

func amlSource(monitored bool) kycv1.AmlSource {
	if monitored {
		return kycv1.AmlSource_AML_SOURCE_MONITORING
	}
	return kycv1.AmlSource_AML_SOURCE_SCREENING
}
