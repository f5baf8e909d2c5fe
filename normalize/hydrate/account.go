package hydrate

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// account is one endpoint's API and its client. What holds requests back is shared by endpoints that ask
// as the same customer.
type account struct {
	Endpoint
	*gate
	baseURL, tokenURL string
	client            *http.Client
	maxResponse       int64
}

func newAccount(e Endpoint, o Options) (*account, error) {
	h := e.Provider.Hydration
	if h == nil {
		return nil, fmt.Errorf("endpoint %s: %s has no API that is asked", e.Name, e.Provider.Title)
	}
	a := &account{Endpoint: e, baseURL: e.BaseURL, tokenURL: e.TokenURL, maxResponse: o.MaxResponse}
	own, token := h.BaseURL, h.Auth.TokenURL
	if e.Environment != kycv1.Environment_ENVIRONMENT_LIVE {
		own, token = cmp.Or(h.SandboxURL, own), cmp.Or(h.Auth.SandboxTokenURL, token)
	}
	a.baseURL, a.tokenURL = cmp.Or(a.baseURL, own), cmp.Or(a.tokenURL, token)
	if err := errors.Join(checkURL("base_url", a.baseURL, e.Internal), a.checkCredentials()); err != nil {
		return nil, fmt.Errorf("endpoint %s: api: %w", e.Name, err)
	}
	perSecond := o.Rate
	if h.Interval > 0 {
		perSecond = min(perSecond, 1/h.Interval.Seconds())
	}
	a.gate = newGate(perSecond, o.Concurrency)
	a.client = newClient(e.Internal, o.Concurrency, o.Timeout, o.Resolver)
	return a, nil
}

// customer is whom an API counts requests for.
type customer struct {
	vendor, baseURL, tokenURL   string
	scheme                      providers.APIScheme
	user, clientID              string
	key, password, clientSecret [sha256.Size]byte // sums of the secrets
}

func (a *account) customer() customer {
	c := a.Credentials
	return customer{
		vendor: a.Provider.Name, baseURL: a.baseURL, tokenURL: a.tokenURL,
		scheme: c.Scheme, user: c.User, clientID: c.ClientID,
		key: c.Key.Sum(), password: c.Password.Sum(), clientSecret: c.ClientSecret.Sum(),
	}
}

func checkURL(field, text string, internal bool) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !internal) {
		return fmt.Errorf("%s must be an https address (http is allowed with internal: true), without user, query and fragment", field)
	}
	return nil
}

// checkCredentials says which part of the credentials is missing.
func (a *account) checkCredentials() error {
	c := a.Credentials
	switch c.Scheme {
	case providers.APIBasic:
		if c.User == "" || !c.Password.Set() {
			return errors.New("username and password are needed")
		}
	case providers.APIClientCredentials:
		if c.ClientID == "" || !c.ClientSecret.Set() {
			return errors.New("client_id and client_secret are needed")
		}
		return checkURL("token_url", a.tokenURL, a.Internal)
	default:
		if !printable(c.Key.Reveal()) {
			return errors.New("key is needed, without spaces and control characters")
		}
	}
	return nil
}
