// Package providertest is the suite that every vendor passes. A vendor's test is
// one line, providertest.Run(t, Provider), and its fixtures are the rest:
//
//	testdata/<case>/body.json    the delivery, exact bytes (or body.bin)
//	testdata/<case>/headers.json headers beside it, one object (optional)
//	testdata/<case>/want.json    what it becomes; go test -update writes it
//
// A case whose name begins with "bad_" must become a dead letter. Whatever could
// identify a person is a text with CANARY in it, which must never leave.
//
// It does not test ingest or the normaliser, only what a vendor answers to them.
package providertest

import (
	"cmp"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

var update = flag.Bool("update", false, "write what the fixtures become to their want.json")

// suite is one vendor under test.
type suite struct {
	providers.Provider
	fixtures  []providers.Fixture
	ways      []way // in which a sender can be proved, the vendor's own first
	validator *contract.Validator
	now       time.Time // when a delivery is signed, and when it arrives
}

// Run holds a vendor against the contract.
func Run(t *testing.T, p providers.Provider) {
	s := newSuite(t, p)
	for _, f := range s.fixtures {
		t.Run(f.Name, func(t *testing.T) { s.checkFixture(t, f) })
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.check(s, t) })
	}
	t.Run("readme", func(t *testing.T) { s.checkReadme(t, os.DirFS(".")) })
}

// checks are those about the vendor as a whole.
var checks = []struct {
	name  string
	check func(*suite, testing.TB)
}{
	{"value", (*suite).checkValue},
	{"limits", (*suite).checkLimits},
	{"auth", (*suite).checkAuth},
	{"unsigned", (*suite).checkUnsigned},
	{"coverage", (*suite).checkCoverage},
	{"sources", (*suite).checkSources},
	{"unknown words", (*suite).checkUnknownWords},
	{"types", (*suite).checkTypes},
	{"blank", (*suite).checkBlank},
	{"booleans", (*suite).checkBooleans},
	{"cut short", (*suite).checkCutShort},
	{"vary", (*suite).checkVary},
	{"canaries", (*suite).checkCanaries},
	{"stories", (*suite).checkStories},
}

func newSuite(t testing.TB, p providers.Provider) *suite {
	t.Helper()
	s := &suite{Provider: p, validator: contract.NewValidator(), now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	for _, pattern := range p.Ways() {
		s.ways = append(s.ways, configured(t, pattern))
	}
	var err error
	if s.fixtures, err = p.Fixtures(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *suite) checkValue(t testing.TB) {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if got := filepath.Base(dir); got != s.Name {
		t.Errorf("the folder is %q and the vendor's Name is %q; they must be equal", got, s.Name)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	for what, missing := range map[string]bool{"Verdicts": len(s.Verdicts) == 0, "Vary": s.Vary == nil} {
		if missing {
			t.Errorf("%s is not set", what)
		}
	}
	if len(s.fixtures) == 0 {
		t.Error("there is no fixture; add testdata/<case>/body.json")
	}
}

// checkLimits: what a vendor documents is within its own limits, and its estimate of work stands every body.
func (s *suite) checkLimits(t testing.TB) {
	if l := s.Limits; l.Events < 0 || l.Output < 0 || l.Body < 0 {
		t.Errorf("a limit is negative: %+v", l)
	}
	for _, f := range s.fixtures {
		if n := len(s.read(s.delivery(t, f, f.Body)).Events); n > s.Limits.MaxEvents() {
			t.Errorf("%s becomes %d events, and the vendor's limit is %d", f.Name, n, s.Limits.MaxEvents())
		}
		if s.Limits.Body > 0 && len(f.Body) > int(s.Limits.Body) {
			t.Errorf("%s has %d bytes, and the vendor's limit is %d", f.Name, len(f.Body), s.Limits.Body)
		}
		for n := range f.Body {
			if work := s.Limits.Work(f.Body[:n]); work < 1 || work > s.Limits.MaxEvents()+n {
				t.Errorf("%s: the first %d bytes are work for %d events", f.Name, n, work)
			}
		}
	}
}

// delivery is a fixture's body as it would arrive.
func (s *suite) delivery(t testing.TB, f providers.Fixture, body []byte) *providers.Delivery {
	t.Helper()
	return s.arrived(f, s.ways[0].request(t, body, s.now))
}

// arrived is what is kept of a request with a fixture.
func (s *suite) arrived(f providers.Fixture, r auth.Request) *providers.Delivery {
	h, body := s.kept(r.Header), s.event(r)
	h.Del(s.EventHeader())
	maps.Copy(h, f.Headers)
	return &providers.Delivery{
		Endpoint: s.Name, Tenant: "default", Environment: providers.FixtureEnvironment,
		ContentType: cmp.Or(r.Header.Get("Content-Type"), "application/json"), Headers: h, Body: body, ReceivedAt: s.now, Fetched: f.Fetched,
	}
}

// result is what a delivery becomes.
type result struct {
	rawKey  []byte
	ownKey  string // what the vendor's Key finds
	notice  *providers.Notice
	fetched *providers.Fetched
	needs   providers.Target // where the API would be asked
	providers.Mapping
	err error
}

// read takes the way that ingest and the normaliser take.
func (s *suite) read(d *providers.Delivery) *result {
	r := &result{ownKey: s.Key(d), fetched: d.Fetched}
	r.rawKey = providers.RawKey(d.Endpoint, r.ownKey, d.Body)
	if r.notice, r.err = s.Parse(d); r.err != nil {
		return r
	}
	if r.Mapping, r.err = s.Map(d, r.notice); r.err != nil {
		return r
	}
	if d.Fetched == nil {
		r.needs, _ = s.Needs(d, r.notice, r.Mapping)
	}
	s.Complete(d, r.notice, r.rawKey, &kycv1.RawPosition{Topic: schemas.DefaultPrefix + schemas.Raw}, r.Mapping)
	return r
}
