package idenfy

import (
	"bytes"
	"strconv"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// maxBeneficiaries bounds what one review may become.
const maxBeneficiaries = 1000

// ordinary is about how many events a delivery becomes that is no large review.
const ordinary = 8

// estimate is providers.Limits.Estimate: a beneficiary gives a check and a screening.
func estimate(body []byte) int {
	if objects := bytes.Count(body, []byte("{")); objects <= ordinary {
		return objects
	}
	return ordinary + 2*providers.ScanCount(body, "beneficiaries")
}

func (r *run) company(id string) *kycv1.Subject {
	return &kycv1.Subject{CompanyId: id, CustomerReference: r.reference()}
}

// companySubmitted: the form is in, the review begins.
var companySubmitted = mapper(companySubmitFields, func(r *run) error {
	id := r.id("id")
	if id == "" {
		return lacks("id")
	}
	r.at, _ = r.date("submission_time", r.Doc.At("submissionTime"))
	e := &kycv1.SessionEvent{
		Metadata: r.metadata(r.company(id)), Transition: kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING, VendorStatus: r.fallback(),
	}
	e.Metadata.VendorAttributes = r.externalRef(attributes("sole_proprietor", r.Doc.At("soleProprietor").Flag()))
	r.Add(e)
	return nil
})

var approvals = providers.Enum[kycv1.Decision]{
	"approved": kycv1.Decision_DECISION_APPROVED, "denied": kycv1.Decision_DECISION_DECLINED,
}

// companyReviewed maps the verdict about a company, its screening and those of its
// beneficiaries. The vendor does not say when the review ended.
var companyReviewed = mapper(companyReviewFields, func(r *run) error {
	id := usableID(r.Doc, reviewIDs)
	if id == "" {
		return lacks("id")
	}
	decision, w := say(r, "approval", approvals, r.Doc.At("approvalStatus"))
	if decision == kycv1.Decision_DECISION_UNSPECIFIED {
		decision = kycv1.Decision_DECISION_UNDETERMINED
	}
	e := &kycv1.SessionEvent{
		Metadata: r.metadata(r.company(id)), Transition: kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED, Decision: decision,
		VendorStatus: r.fallback(w.Text), VendorOutcome: providers.Word(w.Text),
	}
	if r.Doc.At("statusChangedBy").Kind() == providers.Object {
		e.DecidedBy = kycv1.DecidedBy_DECIDED_BY_HUMAN
	}
	e.Metadata.Subject.RelatedSessionIds = r.IDs("related_scan_ref", r.Doc.At("relatedClientScanRefs"))
	e.Metadata.VendorAttributes = r.externalRef(attributes("sole_proprietor", r.Doc.At("soleProprietor").Flag()))
	r.Add(e)
	r.kybScreening(r.Doc, "amlCheck", func() *kycv1.Subject {
		subject := r.company(id)
		subject.Party = kycv1.Party_PARTY_COMPANY
		return subject
	})
	return r.beneficiaries(id)
})

func (r *run) beneficiaries(company string) error {
	n := 0
	for b := range r.Doc.At("beneficiaries").Items() {
		if n++; n > maxBeneficiaries {
			return &providers.Problem{
				Field: "beneficiaries", Detail: "more than " + strconv.Itoa(maxBeneficiaries), Err: providers.ErrRejectedContent,
			}
		}
		r.kybScreening(b, "beneficiaries", func() *kycv1.Subject {
			subject := r.company(company)
			subject.Party, subject.PartyId = kycv1.Party_PARTY_BENEFICIARY, b.At("id").ID()
			return subject
		})
	}
	return nil
}

// kybScreening reads the screening of a company or beneficiary.
func (r *run) kybScreening(v *providers.Value, block string, subject func() *kycv1.Subject) {
	s := &screening{r: r}
	s.kybClasses(v)
	s.check(v3Check(v))
	for _, name := range []string{"negativeNewsCheck", "beneficiaryCheck", "companyCheck"} {
		if raw := v.At(name); raw.Kind() == providers.Array || raw.At("status").Kind() == providers.Object {
			s.services(raw)
		}
	}
	saved := r.at
	r.at = r.latest(v3Check(v), "statusSetAt")
	s.add(block, subject)
	r.at = saved
}

// kybClasses reads the words of the categories, as business verification names them.
func (s *screening) kybClasses(v *providers.Value) {
	s.class(sanctions, "sanctionsCheckStatus", v.At("sanctionsCheckStatus"))
	s.class(pep, "pepsCheckStatus", v.At("pepsCheckStatus"))
	s.class(adverseMedia, "negativeNewsStatus", v.At("negativeNewsStatus"))
}

// latest is the first name's time, or where it is not given the latest of the others.
func (r *run) latest(v *providers.Value, name string, others ...string) *timestamppb.Timestamp {
	if t, _ := r.date("set_at", v.At(name)); t != nil {
		return t
	}
	var last *timestamppb.Timestamp
	for _, name := range others {
		if t, _ := r.date("set_at", v.At(name)); t != nil && (last == nil || t.AsTime().After(last.AsTime())) {
			last = t
		}
	}
	return last
}

var companyDeleted = mapper(companyDeleteFields, func(r *run) error {
	id := usableID(r.Doc, companyIDs)
	if id == "" {
		return lacks("companyId")
	}
	r.at, _ = r.date("date", r.Doc.At("date"))
	r.Add(&kycv1.ResourceEvent{
		Metadata: r.metadata(r.company(id)), Resource: kycv1.Resource_RESOURCE_COMPANY, Change: kycv1.Change_CHANGE_DELETED,
		VendorResource: "company", VendorStatus: r.fallback(),
	})
	return nil
})

// govDocumentOrdered: the order of a register's document changed its state.
var govDocumentOrdered = mapper(govDocumentFields, func(r *run) error {
	id := r.id("id")
	if id == "" {
		return lacks("id")
	}
	_, status := say(r, "order_status", orders, r.Doc.At("status"))
	r.at, _ = r.date("delivered_at", r.Doc.At("deliveredAt"))
	e := &kycv1.ResourceEvent{
		Metadata: r.metadata(&kycv1.Subject{DocumentId: id, CustomerReference: r.reference()}),
		Resource: kycv1.Resource_RESOURCE_DOCUMENT, Change: kycv1.Change_CHANGE_UPDATED,
		VendorResource: "document", VendorStatus: r.fallback(status.Text),
	}
	e.Metadata.VendorAttributes = attributes(
		"product_key", r.Doc.At("productKey").Scalar(), "document_format", r.Doc.At("documentFormat").Scalar())
	r.Add(e)
	return nil
})
