package hydrate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const (
	// queued is how many fetches may be under way or about to begin, for each that may be under way.
	queued = 4
	// The breaker opens after so many failures in a row, or at once where the credentials are refused.
	breakerFailures = 5
	breakerFirst    = 5 * time.Second
	breakerLast     = time.Minute
)

// account is one endpoint's API: its client, and what holds requests back. Each endpoint has its own, so
// none waits behind another.
type account struct {
	Endpoint
	baseURL, tokenURL string
	client            *http.Client
	maxResponse       int64
	tokens            tokens
	limiter           *rate.Limiter
	spacing           time.Duration // between two requests in the long run
	turns             chan struct{} // one for each request under way
	most              int           // fetches begun and not ended

	mu       sync.Mutex
	flying   int
	next     time.Time // when the next task that finds the limit reached may come back
	failures int       // in a row
	pause    time.Duration
	until    time.Time // the breaker is open
	probing  bool
}

func newAccount(e Endpoint, o Options) (*account, error) {
	h := e.Provider.Hydration
	if h == nil {
		return nil, fmt.Errorf("endpoint %s: %s has no API that is asked", e.Name, e.Provider.Title)
	}
	a := &account{Endpoint: e, baseURL: e.BaseURL, tokenURL: e.TokenURL, maxResponse: o.MaxResponse}
	own, token := h.BaseURL, h.Auth.TokenURL
	if e.Environment != kycv1.Environment_ENVIRONMENT_LIVE {
		own, token = or(h.SandboxURL, own), or(h.Auth.SandboxTokenURL, token)
	}
	a.baseURL, a.tokenURL = or(a.baseURL, own), or(a.tokenURL, token)
	if err := errors.Join(checkURL("base_url", a.baseURL, e.Internal), a.checkCredentials()); err != nil {
		return nil, fmt.Errorf("endpoint %s: api: %w", e.Name, err)
	}
	perSecond := o.Rate
	if h.Interval > 0 {
		perSecond = min(perSecond, 1/h.Interval.Seconds())
	}
	burst := max(1, int(perSecond))
	a.limiter, a.spacing = rate.NewLimiter(rate.Limit(perSecond), burst), time.Duration(float64(time.Second)/perSecond)
	a.client = newClient(e.Internal, o.Concurrency, o.Timeout, o.Resolver)
	a.turns, a.most = make(chan struct{}, o.Concurrency), queued*o.Concurrency
	return a, nil
}

func or(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
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
		if c.User == "" || c.Password == "" {
			return errors.New("username and password are needed")
		}
	case providers.APIClientCredentials:
		if c.ClientID == "" || c.ClientSecret == "" {
			return errors.New("client_id and client_secret are needed")
		}
		return checkURL("token_url", a.tokenURL, a.Internal)
	default:
		if !printable(c.Key) {
			return errors.New("key is needed, without spaces and control characters")
		}
	}
	return nil
}

// admit says whether a fetch may begin now, or when to come back and why.
func (a *account) admit(now time.Time) (ok bool, back time.Time, why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case now.Before(a.until):
		return false, a.until.Add(jitter(time.Second)), waitBreaker
	case a.pause > 0 && a.probing:
		return false, now.Add(time.Second), waitBreaker
	case a.flying >= a.most || !a.limiter.AllowN(now, 1):
		// One place in the queue for each, so that they do not all come back at once.
		a.next = later(a.next, now).Add(a.spacing)
		return false, earlier(a.next, now.Add(time.Minute)), waitTurn
	}
	a.probing = a.pause > 0
	a.flying++
	return true, time.Time{}, ""
}

// landed notes how a fetch ended. It says whether the breaker opened because of it.
func (a *account) landed(now time.Time, f *failure) (opened bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flying--
	a.probing = false
	switch {
	case f == nil:
		a.failures, a.pause, a.until = 0, 0, time.Time{}
		return false
	case f.label == labelGarbage || f.label == labelTooLarge:
		// About one object, not about the API: it answered.
		a.failures, a.pause = 0, 0
		return false
	}
	a.failures++
	switch {
	case f.label == labelRefused, a.failures >= breakerFailures, a.pause > 0:
		a.pause = min(max(2*a.pause, breakerFirst), breakerLast)
		a.until = now.Add(max(a.pause, f.after))
		return true
	case f.after > 0:
		a.until = now.Add(f.after)
	}
	return false
}

// open says whether the breaker is.
func (a *account) open(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pause > 0 && now.Before(a.until)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// jitter spreads what would otherwise come at one moment.
func jitter(d time.Duration) time.Duration { return time.Duration(rand.Int64N(int64(d))) }
