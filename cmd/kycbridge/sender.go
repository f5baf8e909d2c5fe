package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// answerLimit is longer than any vendor waits, so that a slow answer is seen.
const answerLimit = 30 * time.Second

// sender plays a vendor: it signs fixtures and posts them.
type sender struct {
	vendor providers.Provider
	way    devWay
	url    string
	client *http.Client
}

// newSender makes a sender; roots nil means what the system trusts.
func newSender(vendor providers.Provider, way devWay, url string, connections int, roots *x509.CertPool) *sender {
	return &sender{vendor: vendor, way: way, url: url + auth.Path(way.scheme, way.secret), client: &http.Client{
		Timeout:       answerLimit,
		Transport:     &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, TLSClientConfig: &tls.Config{RootCAs: roots}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (s *sender) close() { s.client.CloseIdleConnections() }

// signed is a delivery ready to be posted, any number of times.
type signed struct {
	plain  []byte // before it was signed, where that changes it
	body   []byte
	header http.Header
}

// sign makes the n-th delivery of a fixture: fresh ids and times, then the
// vendor's signature over exactly these bytes.
func (s *sender) sign(f providers.Fixture, n uint64) signed {
	body := slices.Clone(f.Body)
	if s.vendor.Vary != nil {
		body = s.vendor.Vary(f.Body, n)
	}
	return s.seal(freshen(body, time.Now()), f.Headers)
}

func (s *sender) seal(body []byte, headers http.Header) signed {
	d := signed{plain: body, header: headers.Clone()}
	if d.header == nil {
		d.header = http.Header{}
	}
	if d.header.Get("Content-Type") == "" {
		d.header.Set("Content-Type", "application/json")
	}
	d.header.Set("User-Agent", "kycbridge-send")
	d.body = s.way.seal(body, d.header)
	return d
}

// corrupt flips one bit in the middle of the body, after it was signed.
func (d signed) corrupt() signed {
	d.body = slices.Clone(d.body)
	if len(d.body) > 0 {
		d.body[len(d.body)/2] ^= 1
	}
	return d
}

// post sends a delivery once and returns the status.
func (s *sender) post(ctx context.Context, d signed) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(d.body))
	if err != nil {
		return 0, err
	}
	r.Header = d.header
	resp, err := s.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, nil
}

// typical picks the fixture to show first: one that makes a single event, an
// approved session where the vendor has that; else the first there is.
func typical(p providers.Provider, fixtures []providers.Fixture) providers.Fixture {
	for _, f := range fixtures {
		d := &providers.Delivery{Endpoint: p.Name, Environment: p.FixtureEnvironment(), ContentType: f.Headers.Get("Content-Type"), Body: unsigned(p, f.Body), Headers: f.Headers, Fetched: f.Fetched}
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
