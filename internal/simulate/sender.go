package simulate

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/kycbridge/kycbridge/internal/config/clientauth"
	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

// answerLimit is longer than any vendor waits, so that a slow answer is seen.
const answerLimit = 30 * time.Second

// Sender plays a vendor: it signs fixtures and posts them.
type Sender struct {
	vendor      providers.Provider
	url         string // of the endpoint
	way         Way
	connections int
	client      *http.Client
}

// NewSender makes a sender that has so many deliveries under way at once. authorities
// is a file with certificates to trust; "": the system's.
func NewSender(vendor providers.Provider, way Way, url string, connections int, authorities string) (*Sender, error) {
	roots, err := clientauth.Authorities(authorities)
	if err != nil {
		return nil, err
	}
	return &Sender{vendor: vendor, url: url, way: way, connections: connections, client: &http.Client{
		Timeout:       answerLimit,
		Transport:     &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, TLSClientConfig: &tls.Config{RootCAs: roots}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close closes idle connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Delivery is ready to be posted, any number of times.
type Delivery struct {
	URL    string // where it is posted
	Body   []byte
	Header http.Header
	plain  []byte // before it was signed, where that changes it
}

// Sign makes the n-th delivery of a fixture: fresh ids and times, then the
// vendor's signature over exactly these bytes.
func (s *Sender) Sign(f providers.Fixture, n uint64) Delivery {
	body := slices.Clone(f.Body)
	if s.vendor.Vary != nil {
		body = s.vendor.Vary(f.Body, n)
	}
	return s.Seal(freshen(body, time.Now()), f.Headers)
}

// Seal makes the delivery of a body as it stands.
func (s *Sender) Seal(body []byte, headers http.Header) Delivery {
	d := Delivery{URL: s.url, plain: body, Header: headers.Clone()}
	if d.Header == nil {
		d.Header = http.Header{}
	}
	if d.Header.Get("Content-Type") == "" {
		d.Header.Set("Content-Type", "application/json")
	}
	d.Header.Set("User-Agent", "kycbridge-send")
	r := auth.Request{Header: d.Header, Body: body, Now: time.Now()}
	s.way.sign(&r)
	if d.Body = r.Body; r.PathToken != "" {
		d.URL += "/" + r.PathToken
	}
	return d
}

// corrupt flips one bit in the middle of the body, after it was signed.
func (d Delivery) corrupt() Delivery {
	d.Body = slices.Clone(d.Body)
	if len(d.Body) > 0 {
		d.Body[len(d.Body)/2] ^= 1
	}
	return d
}

// Answer is what an endpoint answered to one post.
type Answer struct {
	Status   int
	Delivery string // the id that it gave the delivery; "" where it took none
}

// deliveryHeader is where ingest names the delivery that it took.
const deliveryHeader = "Kycbridge-Delivery-Id"

// post sends a delivery once.
func (s *Sender) post(ctx context.Context, d Delivery) (answer Answer, err error) {
	err = s.exchange(ctx, d, func(resp *http.Response) error {
		answer = Answer{resp.StatusCode, resp.Header.Get(deliveryHeader)}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
		return nil
	})
	return answer, err
}

// exchange sends a delivery once, and closes the answer after it was read.
func (s *Sender) exchange(ctx context.Context, d Delivery, read func(*http.Response) error) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(d.Body))
	if err != nil {
		return secret.Failure(err, d.URL) // without the address, which may end with a secret
	}
	r.Header = d.Header
	resp, err := s.client.Do(r)
	if err != nil {
		return secret.Failure(err, d.URL)
	}
	defer resp.Body.Close()
	return read(resp)
}
