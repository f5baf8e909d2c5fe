package hydrate

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Why a request brought nothing: a closed set, for metrics and logs. Nothing of an error's text is kept,
// since it may quote an address with an id.
const (
	labelTimeout       = "timeout"
	labelConnection    = "connection"
	labelAddress       = "inside_address"
	labelRedirect      = "redirect"
	labelRefused       = "refused"   // 401, or no token: our credentials
	labelForbidden     = "forbidden" // 403: this object
	labelLimited       = "rate_limited"
	labelStatus        = "status"
	labelGarbage       = "garbage"
	labelTooLarge      = "too_large"
	labelConfiguration = "configuration"
)

// failure is a fetch that brought nothing and is tried again.
type failure struct {
	label  string
	status int           // of the answer; 0: there was none
	after  time.Duration // the API's own wish; 0: it has none
}

// aboutObject reports whether the API answered, and has something against this object alone: others may be
// asked for as before.
func (f *failure) aboutObject() bool {
	switch f.label {
	case labelGarbage, labelTooLarge, labelForbidden:
		return true
	case labelStatus:
		return f.status/100 == 4 && f.status != http.StatusRequestTimeout
	}
	return false
}

// answer is how a fetch ended: with a result, or with a failure.
type answer struct {
	result kycv1.FetchResult
	kind   string
	body   []byte
	at     time.Time
	number int64 // of the answers in this process, in the order in which they came
	failed *failure
}

// fetch asks for an object under its kind, and where that knows no such id, under the next. Its first
// request was admitted; each further one waits for the rate.
func (c *account) fetch(ctx context.Context, t providers.Target) answer {
	kind := t.Kind
	for range len(c.Provider.Hydration.Objects) {
		object, ok := c.Provider.Hydration.Objects[kind]
		if !ok || !providers.ValidObjectID(t.ID) {
			return answer{failed: &failure{label: labelConfiguration}}
		}
		ask := c.get
		if kind != t.Kind {
			ask = c.getInTurn
		}
		a := ask(ctx, object, providers.Target{Kind: kind, ID: t.ID})
		if a.failed != nil && a.failed.status == http.StatusUnauthorized && c.Credentials.Scheme == providers.APIClientCredentials {
			c.forget()
			a = c.getInTurn(ctx, object, providers.Target{Kind: kind, ID: t.ID})
		}
		if a.result != kycv1.FetchResult_FETCH_RESULT_NOT_FOUND || object.OrElse == "" {
			return a
		}
		kind = object.OrElse
	}
	return answer{failed: &failure{label: labelConfiguration}}
}

// getInTurn asks once, when the rate allows it.
func (c *account) getInTurn(ctx context.Context, object providers.APIObject, t providers.Target) answer {
	if c.limiter.Wait(ctx) != nil {
		return answer{failed: &failure{label: labelConnection}} // the process ends
	}
	return c.get(ctx, object, t)
}

// get asks once.
func (c *account) get(ctx context.Context, object providers.APIObject, t providers.Target) answer {
	path := strings.ReplaceAll(object.Path, "{environment}", url.PathEscape(c.Provider.Hydration.Environment(c.Environment)))
	path = strings.ReplaceAll(path, "{id}", url.PathEscape(t.ID))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.baseURL+path, nil)
	if err != nil {
		return answer{failed: &failure{label: labelConfiguration}}
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "kycbridge")
	if failed := c.authorize(ctx, r); failed != nil {
		return answer{failed: failed}
	}
	resp, err := c.client.Do(r)
	if err != nil {
		return answer{failed: failureOf(err)}
	}
	defer resp.Body.Close()
	return c.read(resp, t)
}

func (c *account) read(resp *http.Response, t providers.Target) answer {
	switch resp.StatusCode {
	case http.StatusNotFound:
		return answer{result: kycv1.FetchResult_FETCH_RESULT_NOT_FOUND, kind: t.Kind, at: time.Now()}
	case http.StatusGone:
		return answer{result: kycv1.FetchResult_FETCH_RESULT_GONE, kind: t.Kind, at: time.Now()}
	}
	if failed := failedStatus(resp); failed != nil {
		return answer{failed: failed}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxResponse+1))
	switch {
	case err != nil:
		return answer{failed: failureOf(err)}
	case int64(len(body)) > c.maxResponse:
		return answer{failed: &failure{label: labelTooLarge}}
	}
	if _, err := providers.ReadObject(body); err != nil {
		return answer{failed: &failure{label: labelGarbage}}
	}
	if check := c.Provider.Hydration.Check; check != nil && !believed(check, t, body) {
		return answer{failed: &failure{label: labelGarbage}}
	}
	return answer{result: kycv1.FetchResult_FETCH_RESULT_FETCHED, kind: t.Kind, body: body, at: time.Now()}
}

// believed asks the vendor's package; an answer that makes it panic is not the object.
func believed(check func(providers.Target, []byte) error, t providers.Target, body []byte) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return check(t, body) == nil
}

// failedStatus is nil for the one status that brings an object.
func failedStatus(resp *http.Response) *failure {
	f := &failure{label: labelStatus, status: resp.StatusCode}
	switch {
	case resp.StatusCode == http.StatusOK:
		return nil
	case resp.StatusCode == http.StatusUnauthorized:
		f.label = labelRefused
	case resp.StatusCode == http.StatusForbidden:
		f.label = labelForbidden
	case resp.StatusCode == http.StatusTooManyRequests:
		f.label = labelLimited
	case resp.StatusCode/100 == 3:
		f.label = labelRedirect
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		f.after = time.Duration(min(seconds, int(retryLast/time.Second))) * time.Second
	}
	return f
}

func failureOf(err error) *failure {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errAddress):
		return &failure{label: labelAddress}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return &failure{label: labelTimeout}
	}
	return &failure{label: labelConnection}
}
