package idenfy

import (
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// due is how urgent a renewal is; days are left where the vendor says how many.
type due struct {
	state kycv1.RenewalState
	days  *int32
}

const (
	stateDue       = kycv1.RenewalState_RENEWAL_STATE_DUE
	stateOverdue   = kycv1.RenewalState_RENEWAL_STATE_OVERDUE
	stateWithdrawn = kycv1.RenewalState_RENEWAL_STATE_WITHDRAWN
)

var thresholds = providers.Enum[due]{
	"document_expires_within_30_days": {stateDue, proto.Int32(30)},
	"document_expires_within_7_days":  {stateDue, proto.Int32(7)},
	"document_expires_within_1_day":   {stateDue, proto.Int32(1)},
	"document_expired":                {stateOverdue, nil},
}

// documentExpires: the document of a verified person runs out. The vendor takes no
// verdict back with it, so the session is left alone.
var documentExpires = mapper(documentExpirationFields, func(r *run) error {
	if r.id("scanRef") == "" {
		return lacks("scanRef")
	}
	d, w := say(r, "expiration_threshold", thresholds, r.Doc.At("expirationThreshold"))
	e := &kycv1.RenewalEvent{
		Metadata: r.metadata(r.scan()), Kind: kycv1.RenewalKind_RENEWAL_KIND_DOCUMENT, State: d.state, VendorStatus: r.fallback(w.Text),
	}
	if d.days != nil {
		e.DueInDays = proto.Int32(*d.days)
	}
	e.Deadline, e.VendorDeadline = r.date("document_expiration", r.Doc.At("documentExpiration"))
	r.Add(e)
	return nil
})

var expirations = providers.Enum[due]{"pending": {state: stateDue}, "expired": {state: stateOverdue}}

// companyExpires: the verification of a company runs out, or has run out.
var companyExpires = mapper(companyExpirationFields, func(r *run) error {
	id := usableID(r.Doc, reviewIDs)
	if id == "" {
		return lacks("id")
	}
	d, w := say(r, "expiration_status", expirations, r.Doc.At("expirationStatus"))
	r.Add(&kycv1.RenewalEvent{
		Metadata: r.metadata(r.company(id)), Kind: kycv1.RenewalKind_RENEWAL_KIND_COMPANY, State: d.state, VendorStatus: r.fallback(w.Text),
	})
	return nil
})

var requests = providers.Enum[due]{
	"requested": {state: stateDue}, "expired": {state: stateOverdue}, "canceled": {state: stateWithdrawn},
}

// requestsCancelled is the spelling that the vendor uses of verifications.
var requestsCancelled = providers.Enum[due]{"cancelled": {state: stateWithdrawn}}

// infoRequested: a company must tell more. The token opens its form and leaves
// nowhere.
var infoRequested = mapper(infoRequestFields, func(r *run) error {
	id := r.id("companyId")
	if id == "" {
		return lacks("companyId")
	}
	r.at, _ = r.date("date", r.Doc.At("date"))
	d, w := say(r, "request_status", requests, r.Doc.At("status"), requestsCancelled)
	if d.state == stateDue {
		r.Add(&kycv1.SessionEvent{
			Metadata: r.metadata(r.company(id)), Transition: kycv1.SessionTransition_SESSION_TRANSITION_RESUBMISSION_REQUIRED,
			VendorStatus: providers.Word(w.Text),
		})
	}
	r.Add(&kycv1.RenewalEvent{
		Metadata: r.metadata(r.company(id)), Kind: kycv1.RenewalKind_RENEWAL_KIND_INFORMATION, State: d.state, VendorStatus: r.fallback(w.Text),
	})
	return nil
})

// count reads a number of customers.
func count(v *providers.Value) (int32, bool) {
	n, err := strconv.ParseInt(v.Scalar(), 10, 32)
	return int32(n), err == nil && n >= 0
}
