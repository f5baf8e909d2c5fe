package idenfy

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// categoryOf reads the kind of list out of a name: of a service, a suspicion or a
// data set. The vendor's lists of names are not complete.
func categoryOf(name string) kycv1.AmlCategory {
	name = strings.ToUpper(name)
	switch {
	case strings.Contains(name, "NEWS"), strings.Contains(name, "ADVERSE"):
		return adverseMedia
	case strings.HasPrefix(name, "PEP"):
		return pep
	case strings.HasPrefix(name, "SAN"), strings.Contains(name, "SANCTION"), name == "INTERPOL":
		return sanctions
	}
	return otherLists
}

// services reads raw results of the second generation, of one list or of several. Where
// the classes say how a category stands, a pass adds nothing to them.
func (s *screening) services(list *providers.Value) {
	if !s.raw {
		s.raw, s.open = true, !s.says()
	}
	for item := range items(list) {
		name := item.At("serviceName").Text()
		hits := s.hitsOf(item, name)
		result, word := s.r.service(item)
		_, known := suspicions.Of(word)
		s.unknown = s.unknown || !known && word != ""
		switch {
		case result == review:
			s.suspicions(name, word, hits)
		case result == technical:
			s.find(categoryOf(name), name, amlError, word)
		case result == unsaid && (known || word == ""):
			s.find(categoryOf(name), name, undetermined, word)
		case result == unsaid:
			s.find(categoryOf(name), name, newWord, word)
		case s.open && result == passed:
			s.find(categoryOf(name), name, noHit, word)
		case s.open:
			s.find(categoryOf(name), name, notChecked, word)
		}
	}
}

// categories in the order in which findings are added.
var categories = []kycv1.AmlCategory{sanctions, pep, adverseMedia, otherLists}

// hitsOf counts the entries of a raw result by category.
func (s *screening) hitsOf(item *providers.Value, service string) map[kycv1.AmlCategory]int32 {
	hits := map[kycv1.AmlCategory]int32{}
	data := item.At("data")
	s.counted = s.counted || data.Kind() == providers.Array
	for entry := range data.Items() {
		if entry.At("whitelisted").True() {
			continue
		}
		name := entry.At("suspicion").Text()
		if name == "" {
			name = service
		}
		n := int32(1)
		if s.v3 {
			n = 0
		}
		hits[categoryOf(name)] += n
		s.hits += n
	}
	return hits
}

func (s *screening) suspicions(service, word string, hits map[kycv1.AmlCategory]int32) {
	if len(hits) == 0 {
		hits[categoryOf(service)] = 0
	}
	var open []kycv1.AmlCategory // before any is added, which would explain the others
	for _, c := range categories {
		if _, ok := hits[c]; ok && !s.judged(c) {
			open = append(open, c)
		}
	}
	for _, c := range open {
		s.find(c, service, s.unjudged(), word)
	}
	for c, n := range hits {
		s.count(c, n)
	}
}

// count notes the number of hits at the last finding of a category.
func (s *screening) count(c kycv1.AmlCategory, n int32) {
	for _, f := range slices.Backward(s.findings) {
		if f.Category == c && n > 0 {
			f.HitCount = proto.Int32(f.GetHitCount() + n)
			return
		}
	}
}

// check reads a result of the third generation: a total, and matches that say only
// which lists they are on. Matches beside "no flags" contradict it, so nobody may
// read them as clear.
func (s *screening) check(v *providers.Value) {
	s.total("overallStatus", v.At("overallStatus"))
	s.v3 = v.At("amlCheck").Kind() == providers.Array || v.At("adverseMedia").Kind() == providers.Array
	s.counted = s.v3
	hits := map[kycv1.AmlCategory]int32{}
	for range v.At("adverseMedia").Items() {
		hits[adverseMedia]++
		s.hits++
	}
	for match := range v.At("amlCheck").Items() {
		s.hits++
		for c := range categoriesOf(match.At("datasets")) {
			hits[c]++
		}
	}
	for _, c := range categories {
		if hits[c] > 0 {
			s.matched(c, v.At("overallStatus"))
			s.count(c, hits[c])
		}
	}
}

func categoriesOf(datasets *providers.Value) map[kycv1.AmlCategory]bool {
	found := map[kycv1.AmlCategory]bool{}
	for d := range datasets.Items() {
		found[categoryOf(d.Text())] = true
	}
	if len(found) == 0 {
		found[otherLists] = true
	}
	return found
}

// matched is a category in which there are matches.
func (s *screening) matched(c kycv1.AmlCategory, overall *providers.Value) {
	status, known := flags.Of(overall.Scalar())
	switch {
	case !known || status == notChecked:
		status = s.unjudged()
	case status == noHit:
		status = undetermined
	}
	for _, f := range s.findings {
		if f.Category != c {
			continue
		}
		switch {
		case f.Status == notChecked:
			f.Status = status
		case f.Status == noHit && (status == potential || status == undetermined):
			f.Status = undetermined
		}
		return
	}
	s.find(c, "amlCheck", status, overall.Scalar())
}

// tags are suspicions and failures that only a tag tells.
func (s *screening) tags() {
	for _, tag := range []struct {
		word   string
		in     kycv1.AmlCategory
		status kycv1.AmlStatus
	}{
		{"AML_SUSPECTION", otherLists, potential}, {"SANCTIONS_SUSPECTION", sanctions, potential},
		{"AML_FAILED", otherLists, amlError}, {"SANCTIONS_FAILED", sanctions, amlError},
	} {
		said := s.judged(tag.in)
		if tag.status == amlError {
			said = slices.ContainsFunc(s.findings, func(f *kycv1.AmlFinding) bool { return f.Status == amlError })
		}
		if _, ok := s.r.tagged(tag.word); ok && !said {
			s.find(tag.in, tag.word, tag.status, tag.word)
		}
	}
}
