package providertest

import (
	"bytes"
	"testing"

	"github.com/kycbridge/kycbridge/internal/canary"
	"github.com/kycbridge/kycbridge/providers"
)

// cuts is how many places each fixture is cut at.
const cuts = 48

// checkCutShort reads the beginnings of every fixture: none may crash, leak, or
// have a key where nothing can be parsed.
func (s *suite) checkCutShort(t testing.TB) {
	for _, f := range s.fixtures {
		step := max(1, len(f.Body)/cuts)
		for at := 0; at < len(f.Body); at += step {
			d := s.delivery(t, f, f.Body[:at])
			r := s.read(d)
			s.checkResult(t, d, r, r.format(t))
		}
	}
}

// checkVary makes fresh deliveries out of the fixtures, as "kycbridge send" does.
func (s *suite) checkVary(t testing.TB) {
	for _, f := range s.fixtures {
		first := s.read(s.delivery(t, f, f.Body))
		if first.err != nil || len(first.notice.Identity) == 0 {
			continue
		}
		one, two := s.Vary(f.Body, 1), s.Vary(f.Body, 2)
		if !bytes.Equal(one, s.Vary(f.Body, 1)) {
			t.Errorf("%s: Vary gives two answers to one n", f.Name)
		}
		seen := map[string]bool{string(first.notice.Identity.Bytes()): true}
		for _, body := range [][]byte{one, two} {
			d := s.delivery(t, f, body)
			d.Fetched = s.answerFor(t, f, body)
			r := s.read(d)
			if r.err != nil || len(r.Events) != len(first.Events) {
				t.Errorf("%s: a varied delivery maps to %d events, %v; want %d events", f.Name, len(r.Events), r.err, len(first.Events))
				continue
			}
			if id := string(r.notice.Identity.Bytes()); seen[id] {
				t.Errorf("%s: a varied delivery has the identity of another", f.Name)
			} else {
				seen[id] = true
			}
		}
	}
}

// answerFor is the fixture's answer of the API, about the object that body names.
func (s *suite) answerFor(t testing.TB, f providers.Fixture, body []byte) *providers.Fetched {
	if f.Fetched == nil || s.Hydration == nil {
		return f.Fetched
	}
	answer := *f.Fetched
	answer.Body = bytes.ReplaceAll(answer.Body, []byte(`"`+s.target(t, f, f.Body)+`"`), []byte(`"`+s.target(t, f, body)+`"`))
	return &answer
}

// target is the id of the object that a delivery of the fixture needs.
func (s *suite) target(t testing.TB, f providers.Fixture, body []byte) string {
	d := s.delivery(t, f, body)
	d.Fetched = nil
	target, _ := s.Hydration.Needs(d, s.read(d).notice)
	return target.ID
}

// Fuzz reads whatever the fuzzer invents out of the fixtures. Use it as
//
//	func FuzzProvider(f *testing.F) { providertest.Fuzz(f, Provider) }
func Fuzz(f *testing.F, p providers.Provider) {
	s := newSuite(f, p)
	for _, fixture := range s.fixtures {
		f.Add(bytes.ReplaceAll(fixture.Body, []byte(canary.Mark), []byte("name")))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := s.delivery(t, providers.Fixture{}, body)
		r := s.read(d)
		if !bytes.Contains(bytes.ToUpper(body), []byte(canary.Mark)) {
			s.checkResult(t, d, r, r.format(t))
		}
	})
}
