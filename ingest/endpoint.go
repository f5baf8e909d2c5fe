package ingest

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
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

const contentTypeHeader = "Content-Type"

// An endpoint is an Endpoint made ready to serve.
type endpoint struct {
	Endpoint
	success   int
	budget    time.Duration
	keep      []string // header names, canonical and sorted; never one that holds a proof
	typed     bool     // Content-Type says what the body is; not where a customer has put a proof into it
	event     string   // the header in which the event may come, canonical
	pathToken bool     // the path goes on after the name

	headProofs, bodyProofs auth.Proofs // those of Proofs that need no body, and the others

	quota   *quota
	decoy   *endpoint
	metrics *endpointMetrics
}

// isDecoy reports whether this one stands in for a name that nobody configured.
func (e *endpoint) isDecoy() bool { return e.decoy == nil }

// A directory finds the endpoint of a path. For a name that nobody configured
// it gives a decoy for one of the real ones, which does the same work with
// secrets that nobody has: neither the answer nor its time tells a stranger
// which names exist. One name gets the same decoy from every process of a
// deployment, or the difference would tell.
type directory struct {
	byName map[string]*endpoint
	decoys []*endpoint
	seed   [sha256.Size]byte
}

func newDirectory(endpoints []Endpoint, m *metrics) *directory {
	d := &directory{byName: map[string]*endpoint{}}
	seed := sha256.New()
	for _, e := range endpoints {
		ready := prepare(e, m)
		d.byName[e.Name] = ready
		decoy := e
		decoy.Name, decoy.Proofs = unknownName, e.Proofs.Decoys()
		ready.decoy = prepare(decoy, m)
		d.decoys = append(d.decoys, ready.decoy)
		digest := e.Proofs.Digest()
		seed.Write(digest[:])
	}
	seed.Sum(d.seed[:0])
	return d
}

// decoyOf picks a decoy for a name.
func (d *directory) decoyOf(name string) *endpoint {
	mac := hmac.New(sha256.New, d.seed[:])
	mac.Write([]byte(name))
	return d.decoys[binary.BigEndian.Uint64(mac.Sum(nil))%uint64(len(d.decoys))]
}

func prepare(e Endpoint, m *metrics) *endpoint {
	secret := e.Proofs.SecretHeaders()
	var keep []string
	for _, name := range append([]string{providers.EncodingHeader}, e.Provider.KeepHeaders...) {
		if name = http.CanonicalHeaderKey(name); !slices.Contains(secret, name) {
			keep = append(keep, name)
		}
	}
	slices.Sort(keep)
	head, body := e.Proofs.Split()
	return &endpoint{
		headProofs: head,
		bodyProofs: body,
		Endpoint:   e,
		success:    e.Provider.Ack.Code(),
		budget:     e.Provider.Ack.Budget(),
		keep:       slices.Compact(keep),
		typed:      !slices.Contains(secret, contentTypeHeader),
		event:      e.Provider.EventHeader(),
		pathToken:  e.Proofs.TakesPathToken(),
		metrics:    m.forEndpoint(e),
		quota:      newQuota(cmp.Or(e.EventsPerSecond, DefaultEventsPerSecond)),
	}
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
	case known && more && pathToken != "" && !e.pathToken:
		e = e.decoy
	case !known:
		e = d.decoyOf(name)
	}
	return e, pathToken, true
}

// judgeHead decides what the head of a request can: the checks that need no body, and whether there is a proof at
// all for the others to look at.
func (e *endpoint) judgeHead(d *delivery, r auth.Request) outcome {
	o := e.judge(d, e.headProofs, r)
	if o == accepted {
		o = e.refuse(verdict(e.bodyProofs.Announced(r.Header)))
	}
	return o
}

// judgeBody decides the rest.
func (e *endpoint) judgeBody(d *delivery, r auth.Request) outcome {
	o := e.judge(d, e.bodyProofs, r)
	switch {
	case o == accepted && e.isDecoy():
		return unknownEndpoint
	case o == accepted && len(d.secretIDs) == 0 && !e.AllowUnauthenticated:
		return undecided // no check was a proof; the options rule this out
	}
	return o
}

// judge reports whether every one of the checks proves the sender. A scheme that panics has proved nothing.
func (e *endpoint) judge(d *delivery, proofs auth.Proofs, r auth.Request) (o outcome) {
	defer func() {
		if v := recover(); v != nil {
			e.metrics.panicked("verify", v)
			o = undecided
		}
		if o != accepted {
			d.secretIDs = nil
		}
	}()
	if len(proofs) == 0 {
		return accepted
	}
	ids, err := proofs.Verify(r)
	d.secretIDs = append(d.secretIDs, ids...)
	return e.refuse(verdict(err))
}

// refuse is what a refusal is called: all that a decoy finds out is that there is no such endpoint.
func (e *endpoint) refuse(o outcome) outcome {
	if e.isDecoy() && o != accepted && o != undecided && o != forbidden {
		return unknownEndpoint
	}
	return o
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

// contentType is what the sender calls the body; "" where that is a secret of this endpoint.
func (e *endpoint) contentType(h http.Header) string {
	if !e.typed {
		return ""
	}
	return h.Get(contentTypeHeader)
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
	return e.Provider.RecordKey(d)
}
