package idenfy

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	sanctions    = kycv1.AmlCategory_AML_CATEGORY_SANCTIONS
	pep          = kycv1.AmlCategory_AML_CATEGORY_PEP
	adverseMedia = kycv1.AmlCategory_AML_CATEGORY_ADVERSE_MEDIA
	otherLists   = kycv1.AmlCategory_AML_CATEGORY_OTHER
)

const (
	noHit        = kycv1.AmlStatus_AML_STATUS_CLEAR
	potential    = kycv1.AmlStatus_AML_STATUS_POTENTIAL_HIT
	confirmed    = kycv1.AmlStatus_AML_STATUS_CONFIRMED_HIT
	dismissed    = kycv1.AmlStatus_AML_STATUS_DISMISSED
	undetermined = kycv1.AmlStatus_AML_STATUS_UNDETERMINED
	notChecked   = kycv1.AmlStatus_AML_STATUS_NOT_CHECKED
	stopped      = kycv1.AmlStatus_AML_STATUS_MONITORING_STOPPED
	amlPending   = kycv1.AmlStatus_AML_STATUS_PENDING
	amlError     = kycv1.AmlStatus_AML_STATUS_ERROR
	newWord      = kycv1.AmlStatus_AML_STATUS_UNSPECIFIED
)

// screening gathers what a delivery says about one party in several places: the
// classes (one word for each category), totals, and the raw results of either
// generation. Classes and totals are the vendor's judgement of the raw results, so
// a raw suspicion counts by itself only where they leave it open.
type screening struct {
	r        *run
	findings []*kycv1.AmlFinding
	totals   []total
	unknown  bool // one of the words is new to us
	resolved bool // the vendor says that every alert is dealt with
	raw      bool // raw results of the second generation were read
	open     bool // and before them nothing was said
	counted  bool // whether hits is said
	v3       bool // hits are those of the third generation, which repeat the second's
	hits     int32
}

// maxFindings is what an event holds.
const maxFindings = 1000

// total is a word for all categories together.
type total struct {
	name, word string
	status     kycv1.AmlStatus
}

// class reads the word of one category.
func (s *screening) class(c kycv1.AmlCategory, name string, v *providers.Value) {
	status, w := say(s.r, "aml_class", flags, v)
	if w.Given {
		s.unknown = s.unknown || status == newWord
		s.find(c, name, status, w.Text)
	}
}

// total reads a word for everything.
func (s *screening) total(name string, v *providers.Value) {
	status, w := say(s.r, "aml_class", flags, v)
	if w.Given {
		s.unknown = s.unknown || status == newWord
		s.totals = append(s.totals, total{name: name, word: w.Text, status: status})
	}
}

func (s *screening) find(c kycv1.AmlCategory, name string, status kycv1.AmlStatus, word string) {
	if !providers.IsCode(name) {
		name = "" // the name of a service is a code; anything else might be free text
	}
	f := &kycv1.AmlFinding{Category: c, Status: status, VendorCategory: name, VendorStatus: s.r.fallback(word)}
	if last := len(s.findings) - 1; len(s.findings) < maxFindings {
		s.findings = append(s.findings, f)
	} else if severity[status] > severity[s.findings[last].Status] {
		s.findings[last] = f
	}
}

// unjudged is the status of a raw hit that no word of the vendor explains.
func (s *screening) unjudged() kycv1.AmlStatus {
	if s.resolved {
		return undetermined
	}
	return potential
}

// judged reports whether the vendor's own words explain a raw suspicion in a
// category: flags found there, confirmed or dismissed, or the same of the total. A
// suspicion that names no list is explained by any of them.
func (s *screening) judged(c kycv1.AmlCategory) bool {
	explains := func(status kycv1.AmlStatus) bool {
		return status == potential || status == confirmed || status == dismissed
	}
	if slices.ContainsFunc(s.totals, func(t total) bool { return explains(t.status) }) {
		return true
	}
	return slices.ContainsFunc(s.findings, func(f *kycv1.AmlFinding) bool {
		return explains(f.Status) && (c == otherLists || f.Category == c)
	})
}

// says reports whether anything was said.
func (s *screening) says() bool { return len(s.findings)+len(s.totals) > 0 }

// close weighs everything: the event's status is the most serious of its findings,
// and a total that is graver than all of them becomes one. "No flags" in total
// makes no category checked that was not.
func (s *screening) close() (kycv1.AmlStatus, string) {
	worst := notChecked
	for _, f := range s.findings {
		if severity[f.Status] > severity[worst] {
			worst = f.Status
		}
	}
	alone := len(s.findings) == 0
	for _, t := range s.totals {
		if severity[t.status] <= severity[worst] || !alone && t.status == noHit {
			continue
		}
		if worst = t.status; !alone {
			s.find(otherLists, t.name, t.status, t.word)
		}
	}
	word := s.wordFor(worst)
	if s.unknown {
		s.doubt()
		if worst == noHit || worst == dismissed {
			worst = undetermined
		}
	}
	return worst, word
}

// doubt takes the good news back: a single word that is new to us is enough to say
// nothing good, whatever the other words are. They stay beside it.
func (s *screening) doubt() {
	for _, f := range s.findings {
		if f.Status == noHit || f.Status == dismissed {
			f.Status = undetermined
		}
	}
}

// wordFor is the vendor's word that decided.
func (s *screening) wordFor(status kycv1.AmlStatus) string {
	for _, t := range s.totals {
		if t.status == status {
			return s.r.fallback(t.word)
		}
	}
	for _, f := range s.findings {
		if f.Status == status {
			return f.VendorStatus
		}
	}
	return s.r.fallback()
}

// event makes the AmlEvent.
func (s *screening) event(subject *kycv1.Subject, source kycv1.AmlSource) *kycv1.AmlEvent {
	status, word := s.close()
	e := &kycv1.AmlEvent{
		Metadata: s.r.metadata(subject), Source: source, Status: status, Findings: s.findings, VendorStatus: word,
	}
	if s.counted && (s.hits > 0 || status == noHit || status == dismissed) {
		e.HitCount = proto.Int32(s.hits)
	}
	return e
}

// add emits the check of a screening block and what it found.
func (s *screening) add(block string, subject func() *kycv1.Subject) {
	if !s.says() {
		return
	}
	e := s.event(subject(), kycv1.AmlSource_AML_SOURCE_SCREENING)
	s.r.addCheck(subject(), blockOf(block, e))
	s.r.Add(e)
}

// blockOf is the CheckEvent of a screening.
func blockOf(name string, e *kycv1.AmlEvent) block {
	return block{
		kind: kycv1.CheckKind_CHECK_KIND_AML_SCREENING, name: name, result: screeningResults[e.Status], word: e.VendorStatus,
	}
}
