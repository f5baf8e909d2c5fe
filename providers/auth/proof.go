package auth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Proof is one configured check: a scheme and the secrets that satisfy it.
type Proof struct {
	Scheme  Scheme
	Secrets []Secret // any one of them; none for one that is Keyless
}

// NewProof makes a check after making sure that each secret can satisfy it.
func NewProof(scheme Scheme, secrets ...Secret) (Proof, error) {
	switch t := scheme.Traits(); {
	case len(secrets) == 0 && !t.Keyless:
		return Proof{}, fmt.Errorf("auth: %s without a secret", t.Kind)
	case len(secrets) > 0 && t.Keyless:
		return Proof{}, fmt.Errorf("auth: %s asks for no secret, and has %d", t.Kind, len(secrets))
	}
	for _, s := range secrets {
		if err := Check(scheme, s); err != nil {
			return Proof{}, err
		}
	}
	return Proof{Scheme: scheme, Secrets: secrets}, nil
}

// verify is the scheme's word, unless there is no live secret: then a proof that
// does not fit says nothing about its sender.
func (p Proof) verify(r Request) (string, error) {
	id, err := p.Scheme.Verify(p.Secrets, r)
	if (errors.Is(err, ErrMismatch) || errors.Is(err, ErrStale)) && !p.Live(r.Now) {
		return "", fmt.Errorf("%w: no secret for %s is valid at this time", ErrUndecided, p.Scheme.Traits().Kind)
	}
	return id, err
}

// Live reports whether the check can be satisfied at now.
func (p Proof) Live(now time.Time) bool {
	return slices.ContainsFunc(p.Secrets, func(s Secret) bool { return s.key != nil && s.live(now) }) || p.Scheme.Traits().Keyless
}

// ready reports whether a request can be judged at now.
func (p Proof) ready(now time.Time) bool {
	ready := p.Scheme.Traits().Ready
	return p.Live(now) && (ready == nil || ready())
}

// ids are the names that Verify may return.
func (p Proof) ids() []string {
	if id := p.Scheme.Traits().SecretID; id != "" {
		return []string{id}
	}
	var ids []string
	for _, s := range p.Secrets {
		ids = append(ids, s.ID)
	}
	return ids
}

// Proofs are all checks of an endpoint. Every one must pass.
type Proofs []Proof

// Verify runs every check, whatever the others say, and returns the ids of the
// secrets that proved the request, in the order of the checks. The error is that
// of the gravest failure: ErrForbidden, then ErrUndecided, then any other; among
// equals the first. So an answer made of it does not tell which secret was right.
func (ps Proofs) Verify(r Request) (ids []string, err error) {
	if len(ps) == 0 {
		return nil, fmt.Errorf("%w: no check is configured", ErrUndecided)
	}
	for _, p := range ps {
		id, failed := p.verify(r)
		switch {
		case failed != nil && gravity(failed) > gravity(err):
			err = failed
		case failed == nil && id != "": // that of a second factor is ""
			ids = append(ids, id)
		}
	}
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// Decoys are the same checks against secrets that nobody has.
func (ps Proofs) Decoys() Proofs {
	decoys := make(Proofs, len(ps))
	for i, p := range ps {
		decoys[i].Scheme = p.Scheme
		for _, s := range p.Secrets {
			decoys[i].Secrets = append(decoys[i].Secrets, s.Decoy())
		}
	}
	return decoys
}

// Digest is a number that whoever lacks the secrets cannot know, and that is the same wherever they are.
func (ps Proofs) Digest() [sha256.Size]byte {
	all := sha256.New()
	for _, p := range ps {
		for _, s := range p.Secrets {
			if s.key != nil {
				sum := s.key().sum
				all.Write(sum[:])
			}
		}
	}
	return [sha256.Size]byte(all.Sum(nil))
}

// Split parts the checks into those that the head of a request can pass, its address included, and those over its
// body. The order within each part stays.
func (ps Proofs) Split() (head, body Proofs) {
	for _, p := range ps {
		if p.Scheme.Traits().BindsBody {
			body = append(body, p)
		} else {
			head = append(head, p)
		}
	}
	return head, body
}

// BindBody reports whether one of the checks proves the body.
func (ps Proofs) BindBody() bool {
	return slices.ContainsFunc(ps, func(p Proof) bool { return p.Scheme.Traits().BindsBody })
}

// Announced looks for the headers that checks over the body read: without one of them, no body can pass.
func (ps Proofs) Announced(h http.Header) error {
	for _, p := range ps {
		name := p.Scheme.Traits().Header
		if name == "" {
			continue
		}
		if _, err := one(h, name); err != nil {
			return err
		}
	}
	return nil
}

// SecretHeaders are the headers that hold a proof and nothing else, by their canonical names, sorted: nothing of them
// may be kept or shown, whatever they are called. A token that the event is read from is none of them, unless another
// check has its secret in the same header.
func (ps Proofs) SecretHeaders() []string {
	var names []string
	for _, p := range ps {
		if t := p.Scheme.Traits(); t.Header != "" && t.Claim == "" {
			names = append(names, http.CanonicalHeaderKey(t.Header))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func gravity(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrUnsigned), errors.Is(err, ErrMismatch), errors.Is(err, ErrStale):
		return 1
	case errors.Is(err, ErrForbidden):
		return 3
	}
	return 2 // ErrUndecided, and what nobody foresaw
}

// Ready reports whether every check has what it takes to judge a request at now: a
// live secret, or the vendor's keys. While it does not, Verify may return
// ErrUndecided to anybody.
func (ps Proofs) Ready(now time.Time) bool {
	return !slices.ContainsFunc(ps, func(p Proof) bool { return !p.ready(now) })
}

// Prove reports whether the checks prove a sender at all: an address alone does
// not.
func (ps Proofs) Prove() bool {
	return slices.ContainsFunc(ps, func(p Proof) bool { return !p.Scheme.Traits().SecondFactor })
}

// TakesPathToken reports whether one of the checks looks at Request.PathToken.
func (ps Proofs) TakesPathToken() bool {
	return slices.ContainsFunc(ps, func(p Proof) bool { return p.Scheme.Traits().Path })
}

// SecretIDs are all names that Verify may return.
func (ps Proofs) SecretIDs() []string {
	var ids []string
	for _, p := range ps {
		ids = append(ids, p.ids()...)
	}
	return ids
}
