package clientauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/kycbridge/kycbridge/internal/secret"
)

const (
	tokenLimit    = 5 * time.Second // for one request
	maxTokenBytes = 1 << 20         // of an answer
	freshPart     = 0.8             // of a token's life, after which a new one is asked for
)

// Tokens gives a bearer token that is valid now. It is safe for concurrent use.
type Tokens func(ctx context.Context) (string, error)

// TokenFile reads the token again each time: another program keeps it valid.
func TokenFile(path string) Tokens {
	return func(context.Context) (string, error) {
		token, _, err := secret.FromFile(path)
		return token.Reveal(), err
	}
}

// Client is a client of an OAuth 2 server that gets tokens for itself (client credentials).
type Client struct {
	URL      string
	ID       string
	Secret   func() string // gives the secret that is valid now, for each question
	Scopes   []string
	Audience string
	CAFile   string // authorities of the server; "" means the system's
}

// Tokens asks the server for a token and keeps it for most of its life. A token whose life is not
// said is used once.
func (c Client) Tokens() Tokens { return c.through(http.ProxyFromEnvironment) }

// Proxy is http.ProxyFromEnvironment, whose error does not quote the proxy's address, which may hold a password.
func Proxy(r *http.Request) (*url.URL, error) { return quiet(http.ProxyFromEnvironment)(r) }

func (c Client) through(proxy func(*http.Request) (*url.URL, error)) Tokens {
	k := &keeper{client: c, http: &http.Client{
		Timeout: tokenLimit,
		Transport: &http.Transport{
			DialTLSContext: TLS{CAFile: c.CAFile}.Dialer(tokenLimit), Proxy: quiet(proxy), IdleConnTimeout: time.Minute,
		},
		// A redirect would take the secret elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return k.token
}

// quiet has the error about a proxy not quote its address, which may hold a password.
func quiet(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		u, err := proxy(r)
		if err != nil {
			return nil, errors.New("the proxy in HTTPS_PROXY is no address such as http://proxy.internal:3128")
		}
		return u, nil
	}
}

type keeper struct {
	client Client
	http   *http.Client

	mu    sync.Mutex // held while asking: many connections come at once, one request is enough
	value string
	until time.Time
}

func (k *keeper) token(ctx context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.value != "" && time.Now().Before(k.until) {
		return k.value, nil
	}
	begin := time.Now()
	answer, err := k.ask(ctx)
	if err != nil {
		return "", fmt.Errorf("token from %s: %w", secret.Address(k.client.URL), secret.Failure(err, k.client.URL))
	}
	life := time.Duration(answer.ExpiresIn * float64(time.Second) * freshPart)
	k.value, k.until = answer.AccessToken, begin.Add(life)
	return k.value, nil
}

type tokenAnswer struct {
	AccessToken string  `json:"access_token"`
	TokenType   string  `json:"token_type"`
	ExpiresIn   float64 `json:"expires_in"` // seconds
	Error       string  `json:"error"`
}

// ask makes the one request. Nothing of an answer is quoted but the code that the standard has for
// it: what a server sends back may hold what it was sent.
func (k *keeper) ask(ctx context.Context) (tokenAnswer, error) {
	var answer tokenAnswer
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(k.client.Scopes) > 0 {
		form.Set("scope", strings.Join(k.client.Scopes, " "))
	}
	if k.client.Audience != "" {
		form.Set("audience", k.client.Audience)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.client.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return answer, errors.New("the address cannot be used")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth(url.QueryEscape(k.client.ID), url.QueryEscape(k.client.Secret()))
	resp, err := k.http.Do(req)
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTokenBytes))
	if err != nil {
		return answer, err
	}
	parsed := json.Unmarshal(body, &answer)
	switch {
	case resp.StatusCode != http.StatusOK:
		return answer, fmt.Errorf("status %d%s, expected 200: check client_id, client_secret and scopes", resp.StatusCode, errorCode(answer.Error))
	case parsed != nil || !usable(answer):
		return answer, errors.New("the answer holds no bearer token; is this a token endpoint of OAuth 2?")
	}
	return answer, nil
}

func usable(a tokenAnswer) bool {
	return a.AccessToken != "" && !strings.ContainsAny(a.AccessToken, "\x00\x01\r\n ") && (a.TokenType == "" || strings.EqualFold(a.TokenType, "bearer"))
}

var standardCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

func errorCode(code string) string {
	if !standardCode.MatchString(code) {
		return ""
	}
	return " (" + code + ")"
}
