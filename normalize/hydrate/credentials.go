package hydrate

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/kycbridge/kycbridge/providers"
)

const (
	maxToken     = 64 << 10 // bytes of the answer of a token endpoint
	tokenUnsaid  = 5 * time.Minute
	tokenLongest = 24 * time.Hour
)

// tokens keeps the token of one account.
type tokens struct {
	mu    sync.Mutex // held while a token is fetched: the others need the same one
	value string
	until time.Time
}

// authorize puts the credentials on a request.
func (c *account) authorize(ctx context.Context, r *http.Request) *failure {
	cred := c.Credentials
	switch cred.Scheme {
	case providers.APIBearer:
		r.Header.Set("Authorization", "Bearer "+cred.Key.Reveal())
	case providers.APIBasic:
		r.SetBasicAuth(cred.User, cred.Password.Reveal())
	case providers.APIClientCredentials:
		token, failed := c.token(ctx)
		if failed != nil {
			return failed
		}
		r.Header.Set("Authorization", "Bearer "+token)
	default:
		r.Header.Set("Authorization", cred.Key.Reveal())
	}
	return nil
}

// token returns the cached token, or fetches one.
func (c *account) token(ctx context.Context) (string, *failure) {
	c.tokens.mu.Lock()
	defer c.tokens.mu.Unlock()
	if time.Now().Before(c.tokens.until) {
		return c.tokens.value, nil
	}
	if c.limiter.Wait(ctx) != nil {
		return "", &failure{label: labelConnection} // the process ends
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.Credentials.ClientID}, "client_secret": {c.Credentials.ClientSecret.Reveal()}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.tokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", &failure{label: labelConfiguration}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	resp, err := c.client.Do(r)
	if err != nil {
		return "", failureOf(err)
	}
	defer resp.Body.Close()
	if failed := failedStatus(resp); failed != nil {
		if failed.aboutObject() {
			failed.label = labelRefused // an object is not asked for yet
		}
		return "", failed
	}
	var said struct {
		Token   string  `json:"access_token"`
		Seconds float64 `json:"expires_in"`
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxToken+1))
	if err != nil {
		return "", failureOf(err)
	}
	if len(body) > maxToken || json.Unmarshal(body, &said) != nil || !printable(said.Token) {
		return "", &failure{label: labelGarbage}
	}
	c.tokens.value, c.tokens.until = said.Token, time.Now().Add(lifetime(said.Seconds))
	return said.Token, nil
}

// lifetime leaves a tenth unused, so that no token expires on its way.
func lifetime(seconds float64) time.Duration {
	if !(seconds > 0) {
		return tokenUnsaid
	}
	return time.Duration(min(seconds*0.9, tokenLongest.Seconds()) * float64(time.Second))
}

// forget drops the token: the API refused it.
func (c *account) forget() {
	c.tokens.mu.Lock()
	defer c.tokens.mu.Unlock()
	c.tokens.until = time.Time{}
}

// printable reports whether a token may be sent in a header.
func printable(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
