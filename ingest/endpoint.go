package ingest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

// strangers is the label that all endpoints nobody configured share. It cannot
// be an endpoint's name.
const strangers = "_unknown"

const hooksPrefix = "/hooks/"

// An endpoint is an Endpoint made ready to serve.
type endpoint struct {
	Endpoint
	success int
	budget  time.Duration
	keep    []string // header names, canonical and sorted
	standIn bool
	metrics *endpointMetrics
}

// A directory finds the endpoint of a path. For a name that nobody configured
// it gives a stand-in for one of the real ones, which does the same work with
// secrets that nobody has: neither the answer nor its time tells a stranger
// which names exist. One name always gets the same stand-in.
type directory struct {
	byName   map[string]*endpoint
	standIns []*endpoint
	seed     maphash.Seed
}

func newDirectory(endpoints []Endpoint, m *metrics) (*directory, error) {
	d := &directory{byName: map[string]*endpoint{}, seed: maphash.MakeSeed()}
	for _, e := range endpoints {
		d.byName[e.Name] = prepare(e, m)
		standIn, err := standInFor(e)
		if err != nil {
			return nil, err
		}
		ready := prepare(standIn, m)
		ready.standIn = true
		d.standIns = append(d.standIns, ready)
	}
	return d, nil
}

func prepare(e Endpoint, m *metrics) *endpoint {
	var keep []string
	for _, name := range e.Provider.KeepHeaders {
		keep = append(keep, http.CanonicalHeaderKey(name))
	}
	slices.Sort(keep)
	return &endpoint{
		Endpoint: e,
		success:  e.Provider.Ack.Code(),
		budget:   e.Provider.Ack.Budget(),
		keep:     slices.Compact(keep),
		metrics:  m.forEndpoint(e),
	}
}

func standInFor(e Endpoint) (Endpoint, error) {
	secrets := make([]auth.Secret, len(e.Secrets))
	for i := range secrets {
		value := make([]byte, 32)
		_, _ = rand.Read(value) // never fails: crypto/rand ends the process instead
		secret, err := auth.NewSecret("stand-in", value, time.Time{}, time.Time{})
		if err != nil {
			return Endpoint{}, fmt.Errorf("ingest: stand-in for endpoint %q: %w", e.Name, err)
		}
		secrets[i] = secret
	}
	e.Name, e.Secrets = strangers, secrets
	return e, nil
}

// find returns the endpoint of a path, or false for a path that can never be
// one. There is no cleaning and no redirect: a sender that follows none would
// lose its delivery.
func (d *directory) find(path string) (*endpoint, bool) {
	name, ok := strings.CutPrefix(path, hooksPrefix)
	if !ok {
		return nil, false
	}
	if e, ok := d.byName[name]; ok {
		return e, true
	}
	return d.standIns[maphash.String(d.seed, name)%uint64(len(d.standIns))], true
}

// verify says whether any live secret proves the sender of these bytes. A
// scheme that panics has proved nothing.
func (e *endpoint) verify(h http.Header, body []byte, now time.Time) (secretID string, o outcome) {
	defer func() {
		if v := recover(); v != nil {
			e.metrics.panicked("verify", v)
			secretID, o = "", undecided
		}
	}()
	secretID, err := e.Provider.Scheme.Verify(e.Secrets, auth.Request{Header: h, Body: body, Now: now})
	o = verdict(err)
	if e.standIn && o != undecided {
		return "", unknownEndpoint
	}
	return secretID, o
}

func verdict(err error) outcome {
	switch {
	case err == nil:
		return accepted
	case errors.Is(err, auth.ErrUnsigned):
		return unsigned
	case errors.Is(err, auth.ErrMismatch):
		return mismatch
	case errors.Is(err, auth.ErrStale):
		return stale
	default:
		return undecided
	}
}

// takes says whether the vendor sends this media type. Some senders leave it
// out, and no parameter, charset least of all, is a reason to lose a delivery.
func (e *endpoint) takes(contentType string) bool {
	if contentType == "" || len(e.Provider.ContentTypes) == 0 {
		return true
	}
	sent, _, _ := strings.Cut(contentType, ";")
	return slices.ContainsFunc(e.Provider.ContentTypes, func(known string) bool {
		return strings.EqualFold(strings.TrimSpace(sent), known)
	})
}

// key is the record's key in the raw log. A rule that panics leaves the hash
// of the body: what a delivery says never decides whether it is kept.
func (e *endpoint) key(d *providers.Delivery) (key []byte) {
	defer func() {
		if v := recover(); v != nil {
			e.metrics.panicked("key", v)
			key = providers.RawKey(e.Name, "", d.Body)
		}
	}()
	return providers.RawKey(e.Name, e.Provider.Key(d), d.Body)
}
