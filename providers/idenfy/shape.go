package idenfy

import (
	"slices"
	"strings"

	"github.com/kycbridge/kycbridge/providers"
)

// family is what the names at the top of a signed body say about it. Key, identity
// and meaning come from the family; the unsigned header may only agree.
type family struct {
	types []string   // the event types that have this shape, the one to assume first
	ids   []string   // where the id of the partition key stands, the first usable one
	any   []string   // one of these names is enough
	all   []string   // or all of these
	none  []string   // but none of these
	loose bool       // a webhook without a documented shape may look like this
	id    identifier // what makes two deliveries the same
}

var (
	companyIDs    = []string{"companyId", "id"}
	reviewIDs     = []string{"id", "companyId"}
	monitoringIDs = []string{"monitoringId", "monitoring_id"}
)

// families in the order in which they are tried: the most telling names first.
var families = []family{
	{types: []string{amlMonitoring}, any: monitoringIDs, ids: monitoringIDs, id: monitoringIdentity},
	{types: []string{amlMonitoringExpiration}, any: []string{"usersToExtend", "usersToExpire"}, id: noticeIdentity},
	{types: []string{companyAmlReview}, any: []string{"amlReviewSubjectType"}, ids: companyIDs[:1], id: amlReviewIdentity},
	{types: []string{documentExpiration}, any: []string{"expirationThreshold", "documentExpiration"}, ids: scanRef, id: fields("expirationThreshold", "documentExpiration")},
	{
		types: []string{legacy, autoFinished, manualFinished, resubmitted, cancelled, expired},
		any:   []string{"final", "fileUrls", "finishTime", "platform"}, ids: scanRef, id: identificationIdentity,
	},
	{
		types: []string{companyReview},
		any:   []string{"approvalStatus", "beneficiaries", "companyCheck", "shareholderCheck", "registrationNumber"},
		ids:   reviewIDs, id: companyReviewIdentity,
	},
	{types: []string{govDocument}, any: []string{"productKey", "expectedDeliveryTime"}, ids: ownID, id: fields("status", "deliveredAt")},
	{types: []string{sosReport}, any: []string{"reportFile", "dataFile", "watchlistHitsCount", "entityType", "formationDate"}, ids: ownID, id: fields("status")},
	{types: []string{bankCard}, any: []string{"firstSix", "lastFour", "lastFourMatch", "noMatchReason"}, ids: ownID, id: fields("status")},
	{types: []string{bankVerification}, any: []string{"accounts", "riskLevel"}, ids: ownID, id: fields("riskLevel")},
	{types: []string{companyExpiration}, any: []string{"expirationStatus"}, ids: reviewIDs, id: fields("expirationStatus")},
	{types: []string{ageEstimation}, any: []string{"occurredAt", "estimatedAge"}, ids: scanRef, id: fields("status", "outcome", "occurredAt"), loose: true},
	{types: []string{accountCheck}, any: []string{"authToken", "facebookScore", "gmailScore", "ipScore", "score"}, ids: scanRef, id: fields("status", "date"), loose: true},
	{types: []string{facialAuth}, any: []string{"facePhoto", "riskTags", "failReason", "method"}, ids: []string{"id", "scanRef"}, id: faceIdentity, loose: true},
	{types: []string{companySubmit}, any: []string{"submissionTime", "soleProprietor"}, ids: ownID, id: fields("submissionTime"), loose: true},
	{types: []string{companyInfoRequest}, all: []string{"companyId", "token"}, ids: companyIDs[:1], id: infoRequestIdentity, loose: true},
	{types: []string{companyDelete}, all: []string{"companyId", "date"}, none: []string{"status", "email", "token"}, ids: companyIDs, id: fields("date"), loose: true},
}

// vague is a body whose names do not tell: the header may, and the id is wherever
// there is one.
var vague = family{ids: []string{"id", "scanRef", "companyId"}, id: wholeIdentity}

var (
	scanRef = []string{"scanRef"}
	ownID   = []string{"id"}
)

// telling gives each name that tells something a bit.
var telling, masks = bits(families)

type mask struct{ any, all, none uint64 }

func bits(families []family) (map[string]uint64, []mask) {
	names := map[string]uint64{}
	maskOf := func(list []string) (m uint64) {
		for _, name := range list {
			if names[name] == 0 {
				names[name] = 1 << len(names)
			}
			m |= names[name]
		}
		return m
	}
	var out []mask
	for _, f := range families {
		out = append(out, mask{any: maskOf(f.any), all: maskOf(f.all), none: maskOf(f.none)})
	}
	return names, out
}

// familyOf finds the family of a body that has the names in seen.
func familyOf(seen uint64) *family {
	for i, m := range masks {
		if (seen&m.any != 0 || m.all != 0 && seen&m.all == m.all) && seen&m.none == 0 {
			return &families[i]
		}
	}
	return &vague
}

// namesOf are the telling names of a parsed body.
func namesOf(doc *providers.Value) (seen uint64) {
	for name := range doc.Members() {
		seen |= telling[name]
	}
	return seen
}

// keyIDs are all names that the id of a key may stand under, and the counts.
var keyIDs = [...]string{"id", "scanRef", "companyId", "monitoringId", "monitoring_id", "usersToExtend", "usersToExpire"}

// scanned is what a key is made of, read without building a tree.
type scanned struct {
	seen uint64 // the telling names
	ids  [len(keyIDs)]string
}

// scan returns false where the body cannot be read.
func scan(body []byte) (s scanned, ok bool) {
	ok = providers.ScanIDs(body, func(name string) *string {
		s.seen |= telling[name]
		for i := range keyIDs {
			if name == keyIDs[i] {
				return &s.ids[i]
			}
		}
		return nil
	})
	return s, ok
}

func (s *scanned) id(name string) string {
	if i := slices.Index(keyIDs[:], name); i >= 0 {
		return s.ids[i]
	}
	return ""
}

// key reads the id of the partition key. The header has no say in it.
func key(d *providers.Delivery) string {
	s, ok := scan(d.Body)
	if !ok {
		return ""
	}
	f := familyOf(s.seen)
	if f.notice() {
		if s.id("usersToExtend") == "" && s.id("usersToExpire") == "" {
			return ""
		}
		return providers.AccountLevel
	}
	for _, name := range f.ids {
		if id := s.id(name); id != "" {
			return id
		}
	}
	return ""
}

// notice reports whether deliveries of the family concern the whole account.
func (f *family) notice() bool { return f.ids == nil }

// subjectID is the id that key finds, read from the parsed body.
func (f *family) subjectID(doc *providers.Value) string { return usableID(doc, f.ids) }

// usableID is the first of several fields that holds an id.
func usableID(doc *providers.Value, names []string) string {
	for _, name := range names {
		if id := doc.At(name).ID(); id != "" {
			return id
		}
	}
	return ""
}

// has reports whether deliveries of an event type may look like this.
func (f *family) has(eventType string) bool {
	if f == &vague || f.loose && eventType == videoCall {
		return true
	}
	return slices.Contains(f.types, eventType)
}

// known reports whether the vendor documents an event type.
func known(eventType string) bool {
	if eventType == videoCall {
		return true
	}
	for i := range families {
		if slices.Contains(families[i].types, eventType) {
			return true
		}
	}
	return false
}

// spellings are those that spelled accepts beside the types themselves.
var spellings = []string{
	"IDENTIFICATION_AUTO_FINISH", "IDENTIFICATION_MANUAL_FINISH", "IDENTIFICATION_CANCELED",
	"ID_VERIFICATION", "ID_VERIFICATION_AUTO_FINISHED", "ID_VERIFICATION_AUTO_FINISH", "ID_VERIFICATION_MANUAL_FINISHED",
	"ID_VERIFICATION_MANUAL_FINISH", "ID_VERIFICATION_RESUBMITTED", "ID_VERIFICATION_CANCELLED", "ID_VERIFICATION_CANCELED",
	"ID_VERIFICATION_EXPIRED",
}

// spelled makes a spelling of the event type uniform. The documentation writes some
// of them in several ways and confirms none of the others, so all are accepted:
// CANCELED, ID_VERIFICATION_AUTO_FINISHED, ID VERIFICATION AUTO FINISH.
func spelled(label string) string {
	label = strings.ReplaceAll(strings.ToUpper(strings.TrimSpace(label)), " ", "_")
	if rest, ok := strings.CutPrefix(label, "ID_VERIFICATION"); ok {
		label = legacy + rest
	}
	if strings.HasPrefix(label, legacy) {
		label = strings.Replace(label, "CANCELED", "CANCELLED", 1)
		if strings.HasSuffix(label, "_FINISH") {
			label += "ED"
		}
	}
	return label
}
