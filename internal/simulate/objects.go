package simulate

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// sampleAnswer is what the API answers about the object of a fixture, sent as
// body with ids of its own; nil: as it stands in the testdata.
func sampleAnswer(v providers.Provider, f providers.Fixture, sent *Delivery) (id string, a fakeAnswer, ok bool) {
	if v.Hydration == nil || f.Fetched == nil {
		return "", a, false
	}
	sample := unsigned(v, f)
	own, ok := targetOf(v, sample.Body, sample.Header)
	if !ok {
		return "", a, false
	}
	a = fakeAnswer{kind: f.Fetched.Kind, status: http.StatusOK, body: slices.Clone(f.Fetched.Body)}
	switch f.Fetched.Result {
	case kycv1.FetchResult_FETCH_RESULT_GONE:
		a.status = http.StatusGone
	case kycv1.FetchResult_FETCH_RESULT_FETCHED:
	default:
		return "", a, false // unknown, or no answer at all
	}
	if sent == nil {
		return own.ID, a, true
	}
	target, ok := targetOf(v, sent.Body, sent.Header)
	if !ok {
		target, ok = targetOf(v, sent.plain, sent.Header)
	}
	a.body = freshen([]byte(strings.ReplaceAll(string(a.body), `"`+own.ID+`"`, `"`+target.ID+`"`)), time.Now())
	return target.ID, a, ok
}

// registerObject makes the object of a sample delivery known to the fake API of a dev
// that runs beside us. It reports false where none does: the object is then one that
// nobody knows.
func registerObject(ctx context.Context, admin string, v providers.Provider, f providers.Fixture, d Delivery) bool {
	id, a, ok := sampleAnswer(v, f, &d)
	if admin == "" || !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	at := strings.TrimSuffix(admin, "/") + "/dev/vendors/" + v.Name + "/" + url.PathEscape(id) + "?kind=" + url.QueryEscape(a.kind) + "&status=" + strconv.Itoa(a.status)
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, at, bytes.NewReader(a.body))
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusNoContent
}

// targetOf is the object that a delivery needs.
func targetOf(v providers.Provider, body []byte, header http.Header) (t providers.Target, ok bool) {
	d := &providers.Delivery{Endpoint: v.Name, Environment: providers.FixtureEnvironment, ContentType: header.Get("Content-Type"), Headers: header, Body: body}
	n, err := v.Parse(d)
	if err != nil {
		return t, false
	}
	m, err := v.Map(d, n)
	if err != nil {
		return t, false
	}
	return v.Needs(d, n, m)
}
