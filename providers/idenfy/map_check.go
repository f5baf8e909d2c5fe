package idenfy

import (
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Checks that come as a webhook of their own: each always gives its event.

// faceAuthenticated: a known customer showed the face again, or enrolled it. Some
// of these have no scanRef, so the check's own id is what the events are about.
var faceAuthenticated = mapper(faceFields, func(r *run) error {
	subject := &kycv1.Subject{CheckId: r.id("id"), SessionId: r.id("scanRef"), CustomerReference: r.reference()}
	if subject.CheckId == "" && subject.SessionId == "" {
		return lacks("id")
	}
	result, w := say(r, "face_authentication", faceAuthentications, r.Doc.At("status"), faceCancelled)
	r.addCheck(subject, block{
		kind: kycv1.CheckKind_CHECK_KIND_FACE, name: r.kind("type"), result: result, word: w.Text,
		codes: r.tags("risk_tag", riskTags, r.Doc.At("riskTags")),
	})
	r.attribute("type", r.Doc.At("type"))
	r.attribute("method", r.Doc.At("method"))
	return nil
})

var riskTags = setOf([]string{"UNTRUSTED_ENVIRONMENT"})

// kind is the vendor's own name of the check, if the body has one that is a code.
func (r *run) kind(field string) string {
	if name := r.Doc.At(field).Text(); providers.IsCode(name) {
		return name
	}
	return r.MapAs
}

// attribute adds a word to the last event.
func (r *run) attribute(name string, v *providers.Value) {
	md := r.Events[len(r.Events)-1].GetMetadata()
	for k, word := range attributes(name, v.Scalar()) {
		if md.VendorAttributes == nil {
			md.VendorAttributes = map[string]string{}
		}
		md.VendorAttributes[k] = word
	}
}

var ageStatuses = results{"completed": unsaid, "failed": failed}

// ageEstimated: the outcome decides where there is one. scanRef may be the id of a
// token instead, by the vendor's text; it is taken for an id, not for a secret.
var ageEstimated = mapper(ageFields, func(r *run) error {
	if r.id("scanRef") == "" {
		return lacks("scanRef")
	}
	r.at, _ = r.date("occurred_at", r.Doc.At("occurredAt"))
	status, statusWord := say(r, "age_status", ageStatuses, r.Doc.At("status"))
	result, outcome := say(r, "age_outcome", ageOutcomes, r.Doc.At("outcome"))
	_, understood := ageStatuses.Of(statusWord.Text)
	switch {
	case status == failed && result == passed:
		return providers.Contradicts("outcome", "SUCCESS beside the status FAILED")
	case !outcome.Given:
		result, outcome = status, statusWord
	case result == passed && !understood:
		result = unsaid
	}
	r.addCheck(r.scan(), block{kind: kycv1.CheckKind_CHECK_KIND_AGE, name: r.MapAs, result: result, word: outcome.Text})
	r.attribute("status", r.Doc.At("status"))
	r.attribute("verdict", r.Doc.At("verdict"))
	return nil
})

// accountStatuses are numbers whose meaning is not documented.
var accountStatuses = results{"1": unsaid, "2": unsaid, "3": unsaid, "4": unsaid, "5": unsaid}

var accountChecked = mapper(accountFields, func(r *run) error {
	if r.id("scanRef") == "" {
		return lacks("scanRef")
	}
	r.at, _ = r.date("date", r.Doc.At("date"))
	result, w := say(r, "account_status", accountStatuses, r.Doc.At("status"))
	r.addCheck(r.scan(), block{kind: kycv1.CheckKind_CHECK_KIND_BANK, name: r.MapAs, result: result, word: w.Text})
	r.attribute("score", r.Doc.At("score"))
	return nil
})

// videoCalled: the vendor documents no body. What it has is kept, and no word of it
// is read as a pass.
var videoCalled = mapper(videoCallFields, func(r *run) error {
	subject := &kycv1.Subject{
		SessionId: r.id("scanRef"), CheckId: r.id("id"), CompanyId: r.id("companyId"), CustomerReference: r.reference(),
	}
	if subject.SessionId == "" && subject.CheckId == "" && subject.CompanyId == "" {
		return lacks("scanRef")
	}
	word := r.Doc.At("status").Scalar()
	if !providers.IsCode(word) {
		word = ""
	}
	r.addCheck(subject, block{kind: kycv1.CheckKind_CHECK_KIND_VIDEO, name: r.MapAs, word: word})
	return nil
})

// bankVerified is a risk level: the vendor does not say which of them passes.
var bankVerified = mapper(bankVerificationFields, func(r *run) error {
	_, level := say(r, "risk_level", riskLevels, r.Doc.At("riskLevel"))
	return r.ownCheck(kycv1.CheckKind_CHECK_KIND_BANK, unsaid, level, nil)
})

var bankCardVerified = mapper(bankCardFields, func(r *run) error {
	result, w := say(r, "card_status", cardStatuses, r.Doc.At("status"))
	return r.ownCheck(kycv1.CheckKind_CHECK_KIND_BANK, result, w, r.code("no_match_reason", r.Doc.At("noMatchReason")))
})

// sosReported: a report from a register is there. Hits on a watch list are for a
// human to judge.
var sosReported = mapper(sosFields, func(r *run) error {
	result, w := say(r, "order_status", orders, r.Doc.At("status"))
	hits := r.Doc.At("watchlistHitsCount")
	if n, ok := count(hits); hits.Given() && (!ok || n > 0) && result == passed {
		result = review
	}
	if err := r.ownCheck(kycv1.CheckKind_CHECK_KIND_REGISTRY, result, w, nil); err != nil {
		return err
	}
	r.attribute("watchlist_hits", hits)
	r.attribute("entity_type", r.Doc.At("entityType"))
	return nil
})

// ownCheck adds a check that has an id of its own.
func (r *run) ownCheck(kind kycv1.CheckKind, result kycv1.CheckResult, w providers.Term, codes []string) error {
	if r.id("id") == "" {
		return lacks("id")
	}
	subject := &kycv1.Subject{CheckId: r.id("id"), SessionId: r.id("scanRef"), CustomerReference: r.reference()}
	r.addCheck(subject, block{kind: kind, name: r.MapAs, result: result, word: w.Text, codes: codes})
	return nil
}
