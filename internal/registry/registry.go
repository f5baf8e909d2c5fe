// Package registry keeps the schemas of the events in a schema registry that speaks Confluent's API: it knows under
// which subjects they belong, registers and compares them, and finds the ids that events are written with.
//
// It opens no connection to Kafka, prints nothing, and reads no flag and no configuration. It is asked at start and
// by commands, never for an event.
package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/kycbridge/kycbridge/internal/config/clientauth"
)

// Limits of one request. The largest answer is a schema with all its options.
const (
	dialLimit    = 5 * time.Second
	requestLimit = 15 * time.Second
	maxAnswer    = 8 << 20 // bytes
)

// Options say where a registry is and how this program authenticates to it: with user and password, with a token,
// with a client certificate, or not at all.
type Options struct {
	URL      string // such as https://registry.internal:8081; Apicurio's ends in /apis/ccompat/v7
	TLS      clientauth.TLS
	Username string
	Password func() string // the one that is valid now; nil: none
	Token    func() string // a bearer token, likewise
}

// Check reports what of the options cannot be used, or would show a secret to others.
func (o Options) Check() error {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("the registry's address must be such as https://registry.internal:8081")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("the registry's address must hold no user, query or fragment: give user and password, or a token, beside it")
	case o.Password != nil && o.Token != nil:
		return errors.New("give a password or a token for the registry, not both")
	case (o.Password != nil) != (o.Username != ""):
		return errors.New("user and password for the registry belong together: give both, or neither")
	case u.Scheme == "http" && (o.Password != nil || o.Token != nil) && !loopback(u.Hostname()):
		return errors.New("the credentials would be sent to another machine without TLS: the registry's address must begin with https://")
	}
	return nil
}

// loopback reports whether a host is this machine. A name that is not localhost may be anywhere.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// Client asks one registry. It is safe for concurrent use.
type Client struct {
	o  Options
	sr *sr.Client
}

// New returns a Client; it asks nothing yet.
func New(o Options) (*Client, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	o.URL = strings.TrimRight(o.URL, "/")
	client, err := sr.NewClient(sr.URLs(o.URL), sr.UserAgent("kycbridge"), sr.HTTPClient(o.http()), sr.PreReq(o.authenticate))
	if err != nil {
		return nil, err
	}
	return &Client{o: o, sr: client}, nil
}

func (o Options) http() *http.Client {
	transport := &http.Transport{
		DialContext: (&net.Dialer{Timeout: dialLimit}).DialContext, DialTLSContext: o.TLS.Dialer(dialLimit),
		Proxy: clientauth.Proxy, IdleConnTimeout: time.Minute,
	}
	return &http.Client{
		Timeout: requestLimit, Transport: bounded{transport},
		// A redirect would take the credentials elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (o Options) authenticate(r *http.Request) error {
	switch {
	case o.Token != nil:
		r.Header.Set("Authorization", "Bearer "+o.Token())
	case o.Password != nil:
		r.SetBasicAuth(o.Username, o.Password())
	}
	return nil
}

// bounded ends the reading of an answer that is too long.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err
}

// Level is how far a registry lets the versions of a subject differ.
type Level = sr.CompatibilityLevel

// Wanted is the level that subjects are set to: whoever has the newest schema reads what was written with any
// before it, which is what replays and long retention ask for.
const Wanted = sr.CompatBackwardTransitive

// strict reports whether a level holds what Wanted promises.
func strict(l Level) bool { return l == Wanted || l == sr.CompatFullTransitive }

// level is that of a subject, or that of the registry where the subject has none of its own.
func (c *Client) level(ctx context.Context, subject string) (Level, error) {
	got := c.sr.Compatibility(sr.WithParams(ctx, sr.DefaultToGlobal), subject)[0]
	if missing(got.Err) { // not every registry knows that parameter
		got = c.sr.Compatibility(ctx, sr.GlobalSubject)[0]
	}
	if got.Err != nil {
		return 0, c.explain(fmt.Sprintf("read the compatibility of subject %s", subject), got.Err)
	}
	return got.Level, nil
}

func (c *Client) setLevel(ctx context.Context, subject string) error {
	got := c.sr.SetCompatibility(ctx, sr.SetCompatibility{Level: Wanted}, subject)[0]
	return c.explain(fmt.Sprintf("set the compatibility of subject %s", subject), got.Err)
}
