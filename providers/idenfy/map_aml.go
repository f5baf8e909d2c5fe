package idenfy

import (
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// screening adds what a verification says about sanctions, politically exposed
// persons and adverse media: one check and one AmlEvent for all its places.
func (r *run) screening() {
	s, status := &screening{r: r}, r.Doc.At("status")
	s.class(sanctions, "sanctionsStatus", status.At("sanctionsStatus"))
	s.class(pep, "pepsStatus", status.At("pepsStatus"))
	s.class(adverseMedia, "adverseMediaStatus", status.At("adverseMediaStatus"))
	s.total("amlResultClass", status.At("amlResultClass"))
	check, services := v3Check(r.Doc), first(r.Doc, "AML", "aml")
	s.check(check)
	s.services(services)
	s.tags()
	name := "amlResultClass"
	for range items(services) {
		name = "AML"
	}
	if check.Given() {
		name = "amlCheck"
	}
	s.add(name, func() *kycv1.Subject {
		subject := r.scan()
		subject.CheckId = check.At("id").ID()
		return subject
	})
}

// monitorings are the words of status (third generation) and of alertStatus (second).
// The vendor pairs ACCEPTED with ACTIVE and DECLINED with STOPPED; STATUS is a
// change of which nothing is said.
var monitorings = providers.Enum[kycv1.AmlStatus]{
	"active": noHit, "accepted": noHit,
	"alert":   potential,
	"pending": amlPending,
	"stopped": stopped, "declined": stopped,
	"status": undetermined,
}

// monitored maps what ongoing monitoring reports about one person or company.
var monitored = mapper(monitoringFields, func(r *run) error {
	id := usableID(r.Doc, monitoringIDs)
	if id == "" {
		return lacks("monitoringId")
	}
	s := &screening{r: r}
	s.class(sanctions, "sanctionsStatus", r.Doc.At("sanctionsStatus"))
	s.class(pep, "pepsStatus", r.Doc.At("pepsStatus"))
	s.class(adverseMedia, "adverseMediaStatus", r.Doc.At("adverseMediaStatus"))
	state := s.monitoring()
	s.resolved = state.status == noHit
	s.check(v3Check(r.Doc))
	s.services(r.Doc.At("results"))
	if state.status != stopped {
		s.totals = append(s.totals, state)
	}
	subject := &kycv1.Subject{CheckId: id, CustomerReference: r.reference(), RelatedSessionIds: r.scanRefs()}
	e := s.event(r.beneficiary(subject), kycv1.AmlSource_AML_SOURCE_MONITORING)
	if state.status == stopped && e.Status != confirmed {
		e.Status, e.VendorStatus = stopped, r.fallback(state.word)
	}
	e.MonitoringExpiresAt, _ = r.date("expiration", r.Doc.At("expiration"))
	e.Metadata.VendorAttributes = attributes(
		"status", r.Doc.At("status").Scalar(),
		"alert_status", first(r.Doc, "alertStatus", "alert_status").Scalar(),
		"is_active", active(r.Doc).Flag(),
	)
	r.Add(e)
	return nil
})

// scanRefs are the verifications of whom monitoring is about. One page of the vendor shows
// an empty list as a text.
func (r *run) scanRefs() []string {
	list := r.Doc.At("scanRefList")
	if list.Text() != "" && list.Text() != "[]" {
		r.Note("scan_ref_list", "")
	}
	return r.IDs("scan_ref_list", list)
}

// active is whether the monitoring goes on.
func active(doc *providers.Value) *providers.Value { return first(doc, "isActive", "is_active") }

// monitoring reads where the monitoring stands. Of two words that disagree the
// graver one counts; STATUS only where it stands alone.
func (s *screening) monitoring() total {
	r, state, found := s.r, total{name: "status", status: notChecked}, false
	for _, name := range []string{"status", "alertStatus", "alert_status"} {
		status, w := say(r, "monitoring_status", monitorings, r.Doc.At(name))
		if !w.Given || found && w.Is("status") {
			continue
		}
		s.unknown = s.unknown || status == newWord
		if !found || severity[status] > severity[state.status] {
			state.status, state.word = status, w.Text
		}
		found = true
	}
	switch {
	case !found:
		state.status = undetermined // it reports, and does not say what
	case state.status == noHit && isFalse(active(r.Doc)):
		state.status = stopped
	case state.status == noHit && !active(r.Doc).True():
		state.status = undetermined // whether anything is screened it does not say
	}
	return state
}

// monitoringExpires maps a notice about the whole account: how many monitored
// customers must be extended, and how many expire. A zero is said too.
var monitoringExpires = mapper(noticeFields, func(r *run) error {
	for _, name := range []string{"usersToExtend", "usersToExpire"} {
		v := r.Doc.At(name)
		if !v.Given() {
			continue
		}
		n, ok := count(v)
		if !ok {
			return &providers.Problem{Field: name, Detail: "want a whole number that is not negative", Err: providers.ErrInvalid}
		}
		r.Add(&kycv1.RenewalEvent{
			Metadata: r.metadata(nil), Kind: kycv1.RenewalKind_RENEWAL_KIND_MONITORING, State: kycv1.RenewalState_RENEWAL_STATE_DUE,
			AffectedCount: proto.Int32(n), VendorStatus: name,
		})
	}
	if len(r.Events) == 0 {
		return &providers.Problem{Field: "usersToExtend", Detail: "neither this count nor usersToExpire is given", Err: providers.ErrInvalid}
	}
	return nil
})

var parties = providers.Enum[kycv1.Party]{
	"company": kycv1.Party_PARTY_COMPANY, "beneficiary": kycv1.Party_PARTY_BENEFICIARY, "shareholder": kycv1.Party_PARTY_SHAREHOLDER,
}

// amlReviewed maps a reviewer's judgement about a company or one of its people.
var amlReviewed = mapper(amlReviewFields, func(r *run) error {
	if r.id("companyId") == "" {
		return lacks("companyId")
	}
	r.at = r.latest(r.Doc, "statusSetAt", "sanctionsStatusSetAt", "pepsStatusSetAt", "newsStatusSetAt")
	s := &screening{r: r}
	s.kybClasses(r.Doc)
	s.total("overallStatus", r.Doc.At("overallStatus"))
	if !s.says() { // a webhook of its own always gives its event
		s.totals = append(s.totals, total{status: undetermined})
	}
	party, _ := say(r, "party", parties, r.Doc.At("amlReviewSubjectType"))
	e := s.event(&kycv1.Subject{
		CompanyId: r.id("companyId"), CustomerReference: r.reference(), Party: party, PartyId: r.id("id"),
	}, kycv1.AmlSource_AML_SOURCE_MANUAL_REVIEW)
	e.Metadata.VendorAttributes = r.externalRef(attributes())
	r.Add(e)
	return nil
})
