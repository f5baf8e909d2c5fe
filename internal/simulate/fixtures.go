package simulate

import (
	"errors"
	"strings"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// ErrNoCase: the vendor has no fixture of that name.
var ErrNoCase = errors.New("no such fixture")

// oddForm begins the names of fixtures that say what others say, in a form that no vendor is known to use.
const oddForm = "form_"

// Fixtures are those to send: the one of that name, or without a name all good ones
// for many deliveries, and one that makes one event for a single delivery.
func Fixtures(vendor providers.Provider, name string, count int) ([]providers.Fixture, error) {
	if name == "" {
		good, err := vendor.GoodFixtures()
		if err == nil && count == 1 {
			good = []providers.Fixture{Typical(vendor, good)}
		}
		return good, err
	}
	all, err := vendor.Fixtures()
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		if one.Name == name {
			return []providers.Fixture{one}, nil
		}
	}
	return nil, ErrNoCase
}

// Typical picks the fixture to show first: one that makes a single event, an
// approved session where the vendor has that; else the first there is. One that is
// made to be odd, with blanks for ids or names twice, is left to who asks for it.
func Typical(p providers.Provider, fixtures []providers.Fixture) providers.Fixture {
	for _, f := range fixtures {
		if strings.HasPrefix(f.Name, oddForm) {
			continue
		}
		sent := unsigned(p, f)
		d := &providers.Delivery{Endpoint: p.Name, Environment: providers.FixtureEnvironment, ContentType: sent.Header.Get("Content-Type"), Body: sent.Body, Headers: sent.Header, Fetched: f.Fetched}
		n, err := p.Parse(d)
		if err != nil {
			continue
		}
		m, err := p.Map(d, n)
		if err != nil || len(m.Events) != 1 {
			continue
		}
		if s, ok := m.Events[0].(*kycv1.SessionEvent); ok && s.GetDecision() == kycv1.Decision_DECISION_APPROVED {
			return f
		}
	}
	return fixtures[0]
}
