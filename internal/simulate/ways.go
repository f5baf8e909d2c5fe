package simulate

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
)

const (
	devHeader   = "X-Auth-Token" // where a vendor sends headers of the customer's choice
	devSecretID = "dev"          // of every secret and of every key
)

// Way is one way in which a vendor proves itself to an endpoint of `dev`.
type Way struct {
	Endpoint string  // of dev, that takes this way
	vendor   string  // its name
	proofs   []proof // in the order of signing; the last is what the way is named after
}

// proof is a scheme as the endpoint is configured with it, and what to sign with.
type proof struct {
	auth.Scheme
	value  string // the secret, or the private key, as a configuration holds it
	secret auth.Secret
}

func newProof(scheme auth.Scheme, value string) (proof, error) {
	secret, err := auth.NewSecret(devSecretID, []byte(value), time.Time{}, time.Time{})
	return proof{scheme, value, secret}, err
}

// waysOf are the ways of a vendor in dev. The endpoint named after the vendor
// takes the first; each other one has an endpoint of its own, named after it
// too. key is the private key, in PEM, of a vendor that signs with one.
func waysOf(v providers.Provider, password string, key []byte) ([]Way, error) {
	var ways []Way
	for i, scheme := range schemes(v) {
		w, traits := Way{Endpoint: v.Name, vendor: v.Name}, scheme.Traits()
		if i > 0 {
			w.Endpoint += "-" + suffix(traits)
			w.proofs = under(scheme, ways[0])
		}
		value := traits.Value(password)
		if traits.MakeKey != nil {
			value = string(key)
		}
		p, err := newProof(scheme, value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.Endpoint, err)
		}
		w.proofs = append(w.proofs, p)
		ways = append(ways, w)
	}
	return ways, nil
}

// schemes are those of a vendor, with what a customer chooses filled in.
func schemes(v providers.Provider) []auth.Scheme {
	all := slices.Clone(v.Ways())
	for i, pattern := range all {
		all[i] = auth.Configured(pattern, auth.Settings{Header: devHeader, Issuer: devIssuer(v.Name), Audience: devAudience(v.Name)})
	}
	return all
}

func devIssuer(vendor string) string   { return "https://" + vendor + ".invalid/oidc" }
func devAudience(vendor string) string { return "https://hooks.invalid/" + vendor }

// suffix is the scheme's part of an endpoint's name.
func suffix(t auth.Traits) string {
	name := strings.ReplaceAll(t.Kind, "_", "-")
	if t.MakeKey != nil && t.Header != "" {
		name += "-header"
	}
	return name
}

// under is what a vendor signs before it signs by the scheme: one whose first way puts
// the event into a token sends the token all the same, with a secret in a header on top.
func under(scheme auth.Scheme, first Way) []proof {
	if shapes(scheme) || !shapes(first.own()) {
		return nil
	}
	return slices.Clone(first.proofs)
}

// shapes reports whether a delivery has a form by the scheme that it has not without,
// whoever signs it.
func shapes(scheme auth.Scheme) bool {
	r := auth.Request{Header: http.Header{}, Body: []byte("{}"), Now: time.Now()}
	scheme.Sign(auth.Secret{}, &r)
	return len(r.Header) > 0 || string(r.Body) != "{}"
}

// unsigned is a fixture in the form that the vendor's package reads, signed by nobody.
func unsigned(v providers.Provider, f providers.Fixture) Delivery {
	r := auth.Request{Header: http.Header{}, Body: f.Body, Now: time.Now()}
	if f.Headers != nil {
		r.Header = f.Headers.Clone()
	}
	schemes(v)[0].Sign(auth.Secret{}, &r)
	return Delivery{Body: r.Body, Header: r.Header}
}

// own is the proof that no other way of the vendor has.
func (w Way) own() proof { return w.proofs[len(w.proofs)-1] }

// BindsBody reports whether a proof covers the body, so that a changed body is refused.
func (w Way) BindsBody() bool {
	return slices.ContainsFunc(w.proofs, func(p proof) bool { return p.Traits().BindsBody })
}

// Forged is the way with a secret that nobody configured.
func (w Way) Forged() (Way, error) {
	own := w.own()
	value := "not-" + own.value
	if makeKey := own.Traits().MakeKey; makeKey != nil {
		key, err := makeKey()
		if err != nil {
			return w, err
		}
		value = string(key)
	}
	forged, err := newProof(own.Scheme, value)
	w.proofs = slices.Clone(w.proofs)
	w.proofs[len(w.proofs)-1] = forged
	return w, err
}

// sign puts what proves the sender into a request.
func (w Way) sign(r *auth.Request) {
	for _, p := range w.proofs {
		p.Sign(p.secret, r)
	}
}
