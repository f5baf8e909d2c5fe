package providertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/canary"
	"github.com/kycbridge/kycbridge/internal/contract/generated"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func (s *suite) checkFixture(t testing.TB, f providers.Fixture) {
	d := s.delivery(t, f, f.Body)
	before := bytes.Clone(d.Body)
	r := s.read(d)
	if !bytes.Equal(d.Body, before) {
		t.Error("mapping changed the body")
	}
	text := r.format(t)
	if again := s.read(d).format(t); !bytes.Equal(text, again) {
		t.Errorf("mapping twice differs:\n%s\n%s", text, again)
	}
	if f.Bad() != (r.err != nil) {
		t.Errorf("the name says bad: %v, and mapping says %v", f.Bad(), r.err)
	}
	s.checkResult(t, d, r, text)
	if r.err == nil {
		s.checkKey(t, r)
	}
	checkGolden(t, f, text)
}

// checkResult holds for every delivery whatever, sound or not.
func (s *suite) checkResult(t testing.TB, d *providers.Delivery, r *result, text []byte) {
	t.Helper()
	if bytes.Contains(bytes.ToUpper(text), []byte(canary.Mark)) {
		t.Errorf("something that could identify a person leaves:\n%s", text)
	}
	if r.err != nil {
		s.checkProblem(t, d, r)
		return
	}
	if len(r.Events) == 0 && !r.Incomplete {
		t.Error("a mapping without events and without a problem")
	}
	for _, e := range r.Events {
		if err := s.validator.Validate(e); err != nil {
			t.Errorf("%s breaks a rule of the contract: %v", e.ProtoReflect().Descriptor().FullName(), err)
		} else if !generated.Valid(e) {
			t.Errorf("%s keeps the rules of the contract, but not provably, so that it is slow: %v", e.ProtoReflect().Descriptor().FullName(), e)
		}
	}
}

// checkProblem: a body that cannot be read at all, which is a Problem without a
// Field, has no key either.
func (s *suite) checkProblem(t testing.TB, d *providers.Delivery, r *result) {
	t.Helper()
	var p *providers.Problem
	if !errors.As(r.err, &p) || p.Detail == "" {
		t.Errorf("%v is no *providers.Problem with a Detail", r.err)
		return
	}
	if id := s.Key(d); r.notice == nil && p.Field == "" && id != "" {
		t.Errorf("Key finds %q where Parse finds nothing", id)
	}
}

// checkKey compares Key with the mapping: the id in the raw key is one that the
// event's subject carries, so the events of a subject stay together.
func (s *suite) checkKey(t testing.TB, r *result) {
	t.Helper()
	_, id, _ := strings.Cut(string(r.rawKey), "/")
	for _, e := range r.Events {
		sub := e.GetMetadata().GetSubject()
		if sub == nil && id == "" {
			continue
		}
		ids := []string{sub.GetSessionId(), sub.GetCheckId(), sub.GetClientId(), sub.GetCompanyId(), sub.GetDocumentId(), sub.GetAddressId()}
		if id == "" || !slices.Contains(ids, id) {
			t.Errorf("the raw key's id is %q, and the subject of %T has %q", id, e, ids)
		}
	}
}

// checkCoverage: every type is shown, and whatever could identify a person is
// marked.
func (s *suite) checkCoverage(t testing.TB) {
	missing, marked := maps.Clone(s.Maps), false
	for _, f := range s.fixtures {
		marked = marked || bytes.Contains(f.Body, []byte(canary.Mark))
		if r := s.read(s.delivery(t, f, f.Body)); r.err == nil {
			delete(missing, r.notice.MapAs)
		}
	}
	for _, typ := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("no fixture is mapped as %q; add testdata/<case>/body.json", typ)
	}
	if !marked {
		t.Errorf("no fixture holds the mark %s; write it into whatever could identify a person", canary.Mark)
	}
}

// checkSources: what a page or a library of the vendor shows is known, all of it, or the
// README's Evidence is not true. Fixtures made after such a delivery are named for that.
func (s *suite) checkSources(t testing.TB) {
	for _, f := range s.fixtures {
		if !strings.HasPrefix(f.Name, "documented_") && !strings.HasPrefix(f.Name, "library_") {
			continue
		}
		if r := s.read(s.delivery(t, f, f.Body)); r.err != nil || len(r.Drift) > 0 {
			t.Errorf("%s: the vendor shows it, and it has the drift %v and the problem %v; want neither", f.Name, r.Drift, r.err)
		}
	}
}

// unknownWord is in no vendor's vocabulary.
const unknownWord = "zzz_unknown"

// checkUnknownWords puts a word that nobody knows wherever a verdict is read from:
// no event may then say that all is well.
func (s *suite) checkUnknownWords(t testing.TB) {
	tried := 0
	for _, f := range s.fixtures {
		other, changed := unknownWords(f, s.Verdicts)
		if changed > 0 && !f.Bad() {
			tried++
			r := s.read(s.delivery(t, other, other.Body))
			for _, good := range goodNews(r) {
				t.Errorf("%s: with the words of %v unknown, the mapping still says %s", f.Name, s.Verdicts, good)
			}
		}
		for _, path := range s.Verdicts {
			if other, changed := unknownWords(f, []string{path}); changed > 0 {
				s.checkOneUnknown(t, other, path)
			}
		}
	}
	if tried == 0 {
		t.Errorf("no fixture has a word at any of the Verdicts %v", s.Verdicts)
	}
}

// checkOneUnknown: an event that shows the unknown word says nothing good.
func (s *suite) checkOneUnknown(t testing.TB, f providers.Fixture, path string) {
	t.Helper()
	r := s.read(s.delivery(t, f, f.Body))
	if r.err != nil {
		return
	}
	for _, e := range r.Events {
		one := &result{Mapping: providers.Mapping{}}
		one.Add(e)
		if good := goodNews(one); len(good) > 0 && bytes.Contains(formatEvent(t, e), []byte(unknownWord)) {
			t.Errorf("%s: with the word of %s unknown, %T still says %s", f.Name, path, e, good)
		}
	}
}

// goodNews lists the enum values of a result that a consumer may act on as good.
func goodNews(r *result) []string {
	var found []string
	for _, e := range r.Events {
		switch e := e.(type) {
		case *kycv1.SessionEvent:
			found = append(found, whenGood(e.Decision == kycv1.Decision_DECISION_APPROVED, "DECISION_APPROVED")...)
		case *kycv1.CheckEvent:
			found = append(found, whenGood(e.Result == kycv1.CheckResult_CHECK_RESULT_PASSED, "CHECK_RESULT_PASSED")...)
		case *kycv1.AmlEvent:
			good := e.Status == kycv1.AmlStatus_AML_STATUS_CLEAR || e.Status == kycv1.AmlStatus_AML_STATUS_DISMISSED
			for _, finding := range e.Findings {
				good = good || finding.Status == kycv1.AmlStatus_AML_STATUS_CLEAR || finding.Status == kycv1.AmlStatus_AML_STATUS_DISMISSED
			}
			found = append(found, whenGood(good, "AML_STATUS_CLEAR or DISMISSED")...)
		}
	}
	return found
}

func whenGood(good bool, name string) []string {
	if good {
		return []string{name}
	}
	return nil
}

// fetchedPrefix begins a path of Verdicts that leads into the vendor's object.
const fetchedPrefix = "fetched:"

// unknownWords is a fixture with the unknown word at the paths, in its body and in
// what was fetched.
func unknownWords(f providers.Fixture, paths []string) (providers.Fixture, int) {
	var own, fetched []string
	for _, path := range paths {
		if inside, ok := strings.CutPrefix(path, fetchedPrefix); ok {
			fetched = append(fetched, inside)
		} else {
			own = append(own, path)
		}
	}
	var changed, more int
	f.Body, changed = replaceWords(f.Body, own)
	if f.Fetched != nil && len(fetched) > 0 {
		other := *f.Fetched
		other.Body, more = replaceWords(other.Body, fetched)
		f.Fetched = &other
	}
	return f, changed + more
}

// replaceWords puts the unknown word at dotted paths that hold a string, passing
// through arrays, and counts how many there were.
func replaceWords(body []byte, paths []string) ([]byte, int) {
	var doc any
	if json.Unmarshal(body, &doc) != nil {
		return body, 0
	}
	changed := 0
	for _, path := range paths {
		changed += replaceAt(doc, strings.Split(path, "."))
	}
	out, err := json.Marshal(doc)
	if err != nil {
		return body, 0
	}
	return out, changed
}

func replaceAt(v any, path []string) int {
	changed := 0
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			changed += replaceAt(item, path)
		}
	case map[string]any:
		next, ok := v[path[0]]
		if _, isText := next.(string); ok && isText && len(path) == 1 {
			v[path[0]] = unknownWord
			return 1
		}
		if ok && len(path) > 1 {
			return replaceAt(next, path[1:])
		}
	}
	return changed
}
