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

// unknownName labels every name that nobody configured. No endpoint can have it.
const unknownName = "_unknown"

const hooksPrefix = "/hooks/"

// An endpoint is an Endpoint made ready to serve.
type endpoint struct {
	Endpoint
	success   int
	budget    time.Duration
	keep      []string // header names, canonical and sorted
	pathToken bool     // the path goes on after the name
	decoy     *endpoint
	metrics   *endpointMetrics
}

// isDecoy reports whether this one stands in for a name that nobody configured.
func (e *endpoint) isDecoy() bool { return e.decoy == nil }

// A directory finds the endpoint of a path. For a name that nobody configured
// it gives a decoy for one of the real ones, which does the same work with
// secrets that nobody has: neither the answer nor its time tells a stranger
// which names exist. One name always gets the same decoy.
type directory struct {
	byName map[string]*endpoint
	decoys []*endpoint
	seed   maphash.Seed
}

func newDirectory(endpoints []Endpoint, m *metrics) (*directory, error) {
	d := &directory{byName: map[string]*endpoint{}, seed: maphash.MakeSeed()}
	for _, e := range endpoints {
		ready := prepare(e, m)
		d.byName[e.Name] = ready
		decoy, err := decoyFor(e)
		if err != nil {
			return nil, err
		}
		ready.decoy = prepare(decoy, m)
		d.decoys = append(d.decoys, ready.decoy)
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
		Endpoint:  e,
		success:   e.Provider.Ack.Code(),
		budget:    e.Provider.Ack.Budget(),
		keep:      slices.Compact(keep),
		pathToken: e.Proofs.TakesPathToken(),
		metrics:   m.forEndpoint(e),
	}
}

func decoyFor(e Endpoint) (Endpoint, error) {
	proofs := make(auth.Proofs, len(e.Proofs))
	for i, p := range e.Proofs {
		proofs[i] = auth.Proof{Scheme: p.Scheme}
		for range p.Secrets {
			value := make([]byte, 32)
			_, _ = rand.Read(value) // never fails: crypto/rand ends the process instead
			secret, err := auth.NewSecret("decoy", value, time.Time{}, time.Time{})
			if err != nil {
				return Endpoint{}, fmt.Errorf("ingest: decoy for endpoint %q: %w", e.Name, err)
			}
			proofs[i].Secrets = append(proofs[i].Secrets, secret)
		}
	}
	e.Name, e.Proofs = unknownName, proofs
	return e, nil
}

// find returns the endpoint of a path and what follows its name, or false for a
// path that can never be one. There is no cleaning and no redirect: a sender that
// follows none would lose its delivery. More path than a real endpoint takes
// leads to its own decoy, which answers as the endpoint does to a stranger.
func (d *directory) find(path string) (e *endpoint, pathToken string, ok bool) {
	rest, ok := strings.CutPrefix(path, hooksPrefix)
	if !ok {
		return nil, "", false
	}
	name, pathToken, more := strings.Cut(rest, "/")
	e, known := d.byName[name]
	switch {
	case known && more && !e.pathToken:
		e = e.decoy
	case !known:
		e = d.decoys[maphash.String(d.seed, name)%uint64(len(d.decoys))]
	}
	return e, pathToken, true
}

// verify reports whether the sender of these bytes is proved by every check of the
// endpoint. A scheme that panics has proved nothing.
func (e *endpoint) verify(r auth.Request) (secretIDs []string, o outcome) {
	defer func() {
		if v := recover(); v != nil {
			e.metrics.panicked("verify", v)
			secretIDs, o = nil, undecided
		}
	}()
	if len(e.Proofs) > 0 {
		var err error
		secretIDs, err = e.Proofs.Verify(r)
		o = verdict(err)
	}
	switch {
	case e.isDecoy() && o != undecided && o != forbidden:
		return nil, unknownEndpoint
	case o == accepted && len(secretIDs) == 0 && !e.AllowUnauthenticated:
		return nil, undecided // no check was a proof; the options rule this out
	}
	return secretIDs, o
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
	case errors.Is(err, auth.ErrForbidden):
		return forbidden
	default:
		return undecided
	}
}

// takes reports whether the vendor sends this media type. Some senders leave it
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
