package idwise

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// screening is the AML part of a fetched object.
type screening struct {
	said     bool // there is such a part
	status   kycv1.AmlStatus
	word     string // the vendor's, "" where it gives none
	hits     *int32 // of the whole screening; nil where only changes are listed
	findings []*kycv1.AmlFinding
}

// applicabilities are the words for whether a screening took place. One that did
// is decided by its matches.
var applicabilities = providers.Enum[kycv1.AmlStatus]{
	"applicable":    amlUnclear,
	"not ready yet": kycv1.AmlStatus_AML_STATUS_PENDING,
	"skipped":       kycv1.AmlStatus_AML_STATUS_NOT_CHECKED,
	"disabled":      kycv1.AmlStatus_AML_STATUS_NOT_CHECKED,
}

// screening reads "aml", the state of a screening, or "aml_matches", the history
// of one, which may list changes only and so never says that nothing is left. A
// strange word anywhere beside it, and nothing good is read.
func (r *run) screening(strange bool) screening {
	block, history := field(r.object, "aml"), field(r.object, "aml_matches")
	matches := field(block, "matches")
	status, applies := providers.Say(&r.Mapping, "applicability", applicabilities, field(block, "applicability"))
	s := screening{status: status, word: providers.Word(applies.Text)}
	s.said = applies.Given || matches.Kind() == providers.Array || history.Kind() == providers.Array
	strange = strange || applies.Given && status == amlUnknown
	if matches.Kind() != providers.Array {
		matches = history
	} else {
		s.hits = proto.Int32(int32(min(count(matches), 1<<30)))
	}
	s.findings = r.findings(matches, strange)
	switch {
	case len(s.findings) > 0:
		s.status = worst(s.findings)
	case status == amlUnclear && s.hits != nil && !strange:
		s.status = amlClear
	case status == amlUnknown:
		s.status = amlUnclear
	}
	return s
}

func count(list *providers.Value) (n int) {
	for range list.Items() {
		n++
	}
	return n
}

// severity orders the states of findings, the most serious first.
var severity = []kycv1.AmlStatus{amlHit, amlUnclear, amlUnknown, amlDismissed}

// worst is the most serious state. A state new to us leaves it open.
func worst(findings []*kycv1.AmlFinding) kycv1.AmlStatus {
	for _, s := range severity {
		if slices.ContainsFunc(findings, func(f *kycv1.AmlFinding) bool { return f.Status == s }) {
			if s == amlUnknown {
				return amlUnclear
			}
			return s
		}
	}
	return amlUnclear
}

// datasets are the vendor's names of its lists.
var datasets = providers.Enum[kycv1.AmlCategory]{
	"sanctions":                               kycv1.AmlCategory_AML_CATEGORY_SANCTIONS,
	"politically exposed person":              kycv1.AmlCategory_AML_CATEGORY_PEP,
	"linked to a politically exposed persons": kycv1.AmlCategory_AML_CATEGORY_PEP,
	"adverse media":                           kycv1.AmlCategory_AML_CATEGORY_ADVERSE_MEDIA,
	"regulatory enforcement list":             kycv1.AmlCategory_AML_CATEGORY_OTHER,
	"people of interest":                      kycv1.AmlCategory_AML_CATEGORY_OTHER,
	"disqualified director":                   kycv1.AmlCategory_AML_CATEGORY_OTHER,
	"insolvency":                              kycv1.AmlCategory_AML_CATEGORY_OTHER,
	"fitness probity":                         kycv1.AmlCategory_AML_CATEGORY_OTHER,
}

// maxFindings bounds a list that leaves.
const maxFindings = 100

// findings counts matches by list and state. A match holds much about a person:
// only the names of lists and two states are read.
func (r *run) findings(matches *providers.Value, strange bool) []*kycv1.AmlFinding {
	var out []*kycv1.AmlFinding
	for m := range matches.Items() {
		status, word := r.matchStatus(m, strange)
		lists := field(m, "datasets")
		if count(lists) == 0 {
			out = r.addFinding(out, "", status, word)
		}
		for list := range lists.Items() {
			out = r.addFinding(out, providers.Word(list.Text()), status, word)
		}
	}
	return out
}

func (r *run) addFinding(out []*kycv1.AmlFinding, list string, status kycv1.AmlStatus, word string) []*kycv1.AmlFinding {
	category, known := datasets.Of(list)
	if !known {
		r.Note("dataset", "") // not the word: what stands in a match may be about a person
		list = ""
	}
	for _, f := range out {
		if f.VendorCategory == list && f.Category == category && f.Status == status && f.VendorStatus == word {
			*f.HitCount++
			return out
		}
	}
	if len(out) == maxFindings {
		r.Note("findings", "")
		return out
	}
	return append(out, &kycv1.AmlFinding{
		Category: category, Status: status, HitCount: proto.Int32(1), VendorCategory: list, VendorStatus: word,
	})
}

// matchStatus: the vendor lets customers whitelist false positives. The words of
// match_status are not documented, so any of them leaves the state open.
func (r *run) matchStatus(m *providers.Value, strange bool) (kycv1.AmlStatus, string) {
	status := providers.TermOf(field(m, "match_status"))
	if status.Given {
		r.Note("match_status", status.Text)
		return amlUnknown, providers.FirstWord(status.Text, r.Type)
	}
	switch whitelisted := field(m, "is_whitelisted").True(); {
	case whitelisted && strange:
		return amlUnclear, ""
	case whitelisted:
		return amlDismissed, ""
	}
	return amlHit, ""
}

var screeningResults = map[kycv1.AmlStatus]kycv1.CheckResult{
	amlClear:                               kycv1.CheckResult_CHECK_RESULT_PASSED,
	amlHit:                                 kycv1.CheckResult_CHECK_RESULT_REVIEW,
	kycv1.AmlStatus_AML_STATUS_PENDING:     kycv1.CheckResult_CHECK_RESULT_PENDING,
	kycv1.AmlStatus_AML_STATUS_NOT_CHECKED: kycv1.CheckResult_CHECK_RESULT_NOT_PERFORMED,
}

// addScreening adds the screening of a completed journey.
func (r *run) addScreening() {
	s := r.screening(r.verdict.strange)
	if !s.said {
		return
	}
	e := r.aml(kycv1.AmlSource_AML_SOURCE_SCREENING, s)
	e.VendorStatus = s.word
	r.addCheck("", "aml", kycv1.CheckKind_CHECK_KIND_AML_SCREENING, screeningResults[e.Status], s.word)
	r.Add(e)
}
