package providertest

import (
	"errors"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/internal/canary"
	"github.com/kycbridge/kycbridge/providers"
)

// maxLeaks bounds what one check says.
const maxLeaks = 40

// Planting is a canary in a delivery, and where.
type Planting struct {
	canary.Canary
	Where   string // "body payload.clientId"
	Nowhere bool   // from there it may not leave at all
}

// Plantings are deliveries of a vendor with one canary each, as the suite maps them.
func Plantings(t testing.TB, p providers.Provider) iter.Seq2[Planting, *providers.Delivery] {
	return newSuite(t, p).plantings(t)
}

// checkCanaries puts data of every kind that a person has into each place of each fixture: the body, its names,
// the kept headers, what the API answers. None may be in what leaves, but for the fields that may hold it.
func (s *suite) checkCanaries(t testing.TB) {
	planted, seen := 0, leaks{}
	for p, d := range s.plantings(t) {
		planted++
		r := s.read(d)
		r.rawKey = s.RecordKey(d) // as ingest makes it
		for _, l := range r.leaks(p) {
			seen.note(p, l)
		}
		if slices.Contains(asTyped, p.Kind) {
			s.checkAsIs(t, p, d, r)
		}
	}
	if planted == 0 {
		t.Error("there is no place for a canary in any fixture")
	}
	seen.report(t)
}

// leak is an exit, and what was seen there.
type leak struct{ where, text string }

// leaks are the kinds of data that were seen, by where they were planted and by the exit, and an example of each.
type leaks map[[2]string]*struct {
	kinds   []string
	example string
}

func (all leaks) note(p Planting, l leak) {
	key := [2]string{p.Where, l.where}
	if all[key] == nil {
		all[key] = &struct {
			kinds   []string
			example string
		}{example: l.text}
	}
	if !slices.Contains(all[key].kinds, p.Kind) {
		all[key].kinds = append(all[key].kinds, p.Kind)
	}
}

func (all leaks) report(t testing.TB) {
	t.Helper()
	keys := slices.SortedFunc(maps.Keys(all), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, key := range keys[:min(len(keys), maxLeaks)] {
		t.Errorf("personal data leave: planted at %s, seen in %s: %q (%s)", key[0], key[1], all[key].example, strings.Join(all[key].kinds, ", "))
	}
	if len(keys) > maxLeaks {
		t.Errorf("and %d more", len(keys)-maxLeaks)
	}
}

// leaks are the exits at which a planted canary is and may not be.
func (r *result) leaks(p Planting) (found []leak) {
	say := func(where, text string, carries canary.Carries) {
		if !p.May(carries, p.Nowhere) && p.In([]byte(text)) {
			found = append(found, leak{where, text})
		}
	}
	say("the record's key", string(r.rawKey), canary.Kept)
	carries := canary.Word // what a terminal shows of it is decided there
	if strings.Contains(p.Where, "(name)") || strings.Contains(p.Where, "(more)") {
		carries = canary.Code
	}
	for _, d := range r.Drift {
		say("the kind of drift", d.Kind, canary.Ours)
		say("a note of drift "+d.Kind, d.Word, carries)
	}
	if r.err != nil {
		say("the error", r.err.Error(), canary.Ours)
		var problem *providers.Problem
		if errors.As(r.err, &problem) {
			say("the dead letter's field", problem.Field, canary.Ours)
			say("the dead letter's detail", problem.Detail, canary.Ours)
		}
		return found
	}
	for _, e := range r.Events {
		for _, l := range p.Leaks(e.ProtoReflect(), p.Nowhere) {
			found = append(found, leak{string(l.Field), l.Value})
		}
	}
	return found
}

// plantings are deliveries with one canary each. At a place that no fixture had before, every kind is planted; in
// a dozen others that have it, one in turn.
func (s *suite) plantings(t testing.TB) iter.Seq2[Planting, *providers.Delivery] {
	return func(yield func(Planting, *providers.Delivery) bool) {
		g := garden{personal: s.personal(), met: map[string]int{}, yield: yield}
		for _, f := range s.fixtures {
			if !s.plantBody(t, f, &g) || !s.plantAnswer(t, f, &g) || !s.plantHeaders(t, f, &g) {
				return
			}
		}
	}
}

// personal are the places that are about a person in every fixture: where one shows a code or an id, the mark of
// another says no more than that free text may stand there.
func (s *suite) personal() map[string]bool {
	places := map[string]bool{}
	note := func(what string, body []byte) {
		for spot := range canary.Spots(body) {
			is, known := places[what+spot.Path]
			places[what+spot.Path] = spot.Personal && (is || !known)
		}
	}
	for _, f := range s.fixtures {
		note(inBody, f.Body)
		if f.Fetched != nil {
			note(inAnswer, f.Fetched.Body)
		}
	}
	return places
}

// The parts of a delivery, as places begin.
const (
	inBody   = "body "
	inAnswer = "answer "
)

// garden is where canaries are planted.
type garden struct {
	personal map[string]bool // places from which nothing may leave at all
	met      map[string]int  // how many fixtures have had a place
	turn     int
	yield    func(Planting, *providers.Delivery) bool
}

// plant hands out the deliveries with a canary at a place, and reports whether to go on.
func (g *garden) plant(where string, deliver func(text string) *providers.Delivery) bool {
	kinds := canary.All()
	switch g.met[where]++; {
	case g.met[where] > len(kinds):
		return true
	case g.met[where] > 1:
		g.turn++
		kinds = kinds[g.turn%len(kinds):][:1]
	}
	for _, c := range kinds {
		if !g.yield(Planting{c, where, g.personal[where]}, deliver(c.Text)) {
			return false
		}
	}
	return true
}

func (s *suite) plantBody(t testing.TB, f providers.Fixture, g *garden) bool {
	for spot := range canary.Spots(f.Body) {
		if !g.plant(inBody+spot.Path, func(text string) *providers.Delivery { return s.delivery(t, f, spot.With(text)) }) {
			return false
		}
	}
	return g.plant("a body that is nothing else", func(text string) *providers.Delivery { return s.delivery(t, f, []byte(text)) })
}

func (s *suite) plantAnswer(t testing.TB, f providers.Fixture, g *garden) bool {
	if f.Fetched == nil {
		return true
	}
	answered := func(body []byte) *providers.Delivery {
		other, answer := f, *f.Fetched
		answer.Body = body
		other.Fetched = &answer
		return s.delivery(t, other, f.Body)
	}
	for spot := range canary.Spots(f.Fetched.Body) {
		if !g.plant(inAnswer+spot.Path, func(text string) *providers.Delivery { return answered(spot.With(text)) }) {
			return false
		}
	}
	return g.plant("an answer that is nothing else", func(text string) *providers.Delivery { return answered([]byte(text)) })
}

// plantHeaders replaces the headers that are kept, one at a time, and the media type.
func (s *suite) plantHeaders(t testing.TB, f providers.Fixture, g *garden) bool {
	for _, name := range append([]string{mediaType}, s.KeepHeaders...) {
		ok := g.plant("header "+name, func(text string) *providers.Delivery {
			d := s.delivery(t, f, f.Body)
			if name == mediaType {
				d.ContentType = text
				return d
			}
			d.Headers = d.Headers.Clone()
			d.Headers[http.CanonicalHeaderKey(name)] = []string{text}
			return d
		})
		if !ok {
			return false
		}
	}
	return true
}
