package providertest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// These checks put other values where a fixture has one: of another JSON kind, blanks, and
// what is no boolean where one decides. A vendor sends such things one day, and what they
// may not do is vanish, count as an id, or turn into good news.

// kinds are values of every JSON kind.
var kinds = []any{true, false, json.Number("7"), "7", "x7", []any{}, map[string]any{}, []any{"x7"}, map[string]any{"x7": true}}

// checkTypes: a field that holds another kind of value than is read there is not silently
// nothing. Where it is as if it were absent, drift or a dead letter says so.
func (s *suite) checkTypes(t testing.TB) {
	enough := enough{}
	for _, f := range s.sound() {
		base := s.read(s.delivery(t, f, f.Body))
		said := base.said(t)
		for _, at := range spots(f) {
			absent := s.with(t, f, at, nil).said(t)
			if absent == said || enough.of(base, at) { // nothing depends on it here
				continue
			}
			var lost []any
			for _, value := range kinds {
				if sameKind(value, at.value) {
					continue
				}
				if r := s.with(t, f, at, value); r.err == nil && !r.more(base) && r.said(t) == absent {
					lost = append(lost, value)
				}
			}
			if len(lost) > 0 {
				t.Errorf("%s: each of %s at %s is as if it were absent, and no drift says so; give the field its type where Mapping.Shape is told what is known", f.Name, shown(lost), at)
			}
		}
	}
}

func sameKind(a, b any) bool { return reflect.TypeOf(a) == reflect.TypeOf(b) }

// enough counts how often a path of an event type was tried. A dozen fixtures of one form
// say no more than a few, and take their time.
type enough map[[2]string]int

func (e enough) of(r *result, at spot) bool {
	key := [2]string{"", at.String()}
	if r.notice != nil {
		key[0] = r.notice.MapAs
	}
	e[key]++
	return e[key] > 4
}

// sound are the fixtures that become events.
func (s *suite) sound() []providers.Fixture {
	return slices.DeleteFunc(slices.Clone(s.fixtures), providers.Fixture.Bad)
}

func shown(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// blanks are white space as people and programs leave it behind.
const blanks = " \t\u00a0"

// checkBlank: text of white space alone is as if it were absent, in a body as in a header.
func (s *suite) checkBlank(t testing.TB) {
	enough := enough{}
	for _, f := range s.fixtures {
		base := s.read(s.delivery(t, f, f.Body))
		for _, at := range spots(f) {
			if _, isText := at.value.(string); isText && !enough.of(base, at) {
				s.sameAs(t, f.Name+": "+at.String(), s.with(t, f, at, blanks), s.with(t, f, at, nil))
			}
		}
		for name := range f.Headers {
			blank, absent := f, f
			blank.Headers, absent.Headers = f.Headers.Clone(), f.Headers.Clone()
			blank.Headers.Set(name, blanks)
			absent.Headers.Del(name)
			s.sameAs(t, f.Name+": header "+name, s.read(s.delivery(t, blank, f.Body)), s.read(s.delivery(t, absent, f.Body)))
		}
	}
}

func (s *suite) sameAs(t testing.TB, where string, blank, absent *result) {
	t.Helper()
	if blank.said(t) != absent.said(t) {
		t.Errorf("%s: blanks give\n%s\nand null gives\n%s", where, blank.format(t), absent.format(t))
	}
	if got, want := blank.Drift, absent.Drift; !slices.Equal(got, want) {
		t.Errorf("%s: the drift of blanks is %v, that of null %v", where, got, want)
	}
	if got, want := blank.ownKey, absent.ownKey; got != want {
		t.Errorf("%s: the key of blanks is %q, that of null %q", where, got, want)
	}
	if blank.notice == nil || absent.notice == nil {
		return
	}
	if got, want := withoutHashes(blank.notice.Identity), withoutHashes(absent.notice.Identity); !slices.Equal(got, want) {
		t.Errorf("%s: the identity of blanks is %q, that of null %q", where, got, want)
	}
}

// withoutHashes blanks out the parts of an identity that are hashes of what was said, since
// null and blanks are said in other bytes.
func withoutHashes(id providers.Identity) []string {
	parts := slices.Clone(id)
	for i, part := range parts {
		if len(part) == 64 && strings.Trim(part, "0123456789abcdef") == "" {
			parts[i] = "<hash>"
		}
	}
	return parts
}

// noBoolean is what may stand where a boolean is expected.
var noBoolean = []any{nil, json.Number("0"), json.Number("1"), "true", "false", "TRUE", "yes", "no", "", []any{}, map[string]any{}, []any{true}}

// checkBooleans: where a boolean decides, what is no boolean gives no more good news than
// true and false both do.
func (s *suite) checkBooleans(t testing.TB) {
	for _, f := range s.sound() {
		for _, at := range spots(f) {
			if _, isBool := at.value.(bool); !isBool {
				continue
			}
			yes, no := s.with(t, f, at, true), s.with(t, f, at, false)
			if yes.said(t) == no.said(t) {
				continue
			}
			better := map[string][]any{}
			for _, value := range noBoolean {
				for news, n := range counted(s.with(t, f, at, value)) {
					if n > min(counted(yes)[news], counted(no)[news]) {
						better[news] = append(better[news], value)
					}
				}
			}
			for news, values := range better {
				t.Errorf("%s: each of %s at %s says %s, which true and false do not both say", f.Name, shown(values), at, news)
			}
		}
	}
}

// counted is how often a result says each of its good news. An approval that may be acted
// on is more than one that is provisional.
func counted(r *result) map[string]int {
	found := map[string]int{}
	for _, news := range goodNews(r) {
		found[news]++
	}
	for _, e := range r.Events {
		if e, ok := e.(*kycv1.SessionEvent); ok && e.Decision == kycv1.Decision_DECISION_APPROVED && e.Finality != kycv1.Finality_FINALITY_PRELIMINARY {
			found["DECISION_APPROVED that may be acted on"]++
		}
	}
	return found
}
