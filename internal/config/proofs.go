package config

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/auth/jwks"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// prover collects the checks of one endpoint.
type prover struct {
	*file
	config  *Config
	at      int // index of the endpoint
	vendor  providers.Provider
	proofs  auth.Proofs
	readers []reader
	ids     map[string]bool // of secrets, seen so far
}

// reader is a check that reads a header.
type reader struct {
	setting, header string
	field           []any // where the file says so
}

// proofs turns what an endpoint configures into its checks, in a fixed order.
func (f *file) proofs(i int, e *configv1.Endpoint, vendor providers.Provider, c *Config) auth.Proofs {
	before := len(f.problems)
	p := &prover{file: f, config: c, at: i, vendor: vendor, ids: map[string]bool{}}
	for _, s := range settings {
		for _, entry := range s.read(e) {
			p.check(s.name, entry)
		}
	}
	if allowed := f.networks(e.AllowFrom, "endpoints", i, "allow_from"); len(allowed) > 0 {
		p.proofs = append(p.proofs, auth.Proof{Scheme: auth.Networks{Allow: allowed}})
	}
	if len(f.problems) == before {
		p.enough(e)
		p.passable()
	}
	return p.proofs
}

// enough demands a proof, or the setting that allows none.
func (p *prover) enough(e *configv1.Endpoint) {
	switch {
	case p.proofs.Prove() && e.AllowUnauthenticated:
		p.problem("this endpoint authenticates its sender, so it cannot also accept deliveries without proof: remove one of the two", "allow_unauthenticated")
	case p.proofs.Prove():
	case e.AllowUnauthenticated:
	default:
		p.problem(fmt.Sprintf("nothing authenticates the sender: set %s, which %s supports (or allow_unauthenticated: true, to accept deliveries from anybody)",
			p.ways(), p.vendor.Title))
	}
}

// passable demands that at most one check reads a header. A request has each header
// once, and one value cannot be two proofs: such an endpoint would refuse everything.
func (p *prover) passable() {
	taken := map[string]string{} // which setting reads the header
	for _, r := range p.readers {
		if other := taken[r.header]; other != "" {
			p.problem(fmt.Sprintf("%s and %s both read the header %s, which a request has once, so no delivery could pass both: remove one of the two",
				other, r.setting, r.header), r.field...)
		}
		taken[r.header] = r.setting
	}
}

// check makes one check of an entry.
func (p *prover) check(setting string, e entry) {
	pattern := p.pattern(setting, e)
	if pattern == nil {
		return
	}
	proof := auth.Proof{Scheme: auth.Configured(pattern, p.choices(e))}
	for j, s := range e.secrets {
		if made, ok := p.secret(proof.Scheme, s, append(slices.Clone(e.field), j)); ok {
			proof.Secrets = append(proof.Secrets, made)
		}
	}
	p.proofs = append(p.proofs, proof)
	traits := proof.Scheme.Traits()
	if header := http.CanonicalHeaderKey(traits.Header); header != "" {
		r := reader{setting: setting, header: header, field: e.field}
		if e.token == nil && e.named != nil {
			r.field = e.named
		}
		p.readers = append(p.readers, r)
		p.header(r, pattern.Traits().Header == "", traits.Claim != "")
	}
}

// pattern is the vendor's scheme that an entry is for; nil where the vendor has none.
func (p *prover) pattern(setting string, e entry) auth.Scheme {
	var others []string
	for _, pattern := range p.vendor.Ways() {
		if pattern.Traits().Setting != setting {
			continue
		}
		header := auth.Configured(pattern, auth.Settings{Header: e.header}).Traits().Header
		if e.named == nil || strings.EqualFold(header, e.header) {
			return pattern
		}
		others = append(others, place(header))
	}
	if e.token == nil || len(others) == 0 {
		p.problem(p.cannot(), e.field...)
	} else {
		p.problem(fmt.Sprintf("%s sends its token %s", p.vendor.Title, strings.Join(others, " or ")), e.named...)
	}
	return nil
}

// place is where a token is, in a header or without one.
func place(header string) string {
	if header == "" {
		return "in the body (leave header out)"
	}
	return "in the header " + header
}

// choices are those of the customer.
func (p *prover) choices(e entry) auth.Settings {
	t := e.token
	if t == nil {
		return auth.Settings{Header: e.header}
	}
	return auth.Settings{Header: t.Header, Issuer: t.Issuer, Audience: t.Audience, Algorithms: t.Algorithms, Leeway: t.Leeway.AsDuration(), Keys: p.keys(t)}
}

func (p *prover) secret(scheme auth.Scheme, s *configv1.Secret, field []any) (auth.Secret, bool) {
	if p.ids[s.Id] {
		p.problem(fmt.Sprintf("another secret of the endpoint has the id %q; give each its own", s.Id), append(field, "id")...)
	}
	p.ids[s.Id] = true
	source := "value"
	if s.File != "" {
		source = "file"
	}
	at := p.path(append(field, source)...)
	before := len(p.problems)
	value := p.take(&s.Value, s.File, isLive(p.config.File.Endpoints[p.at]), p.config, at)
	if len(p.problems) > before {
		return auth.Secret{}, false
	}
	made, err := auth.NewSecret(s.Id, []byte(value.Reveal()), instant(s.NotBefore), instant(s.NotAfter))
	if err == nil {
		err = auth.Check(scheme, made)
	}
	if err != nil {
		p.add(at, strings.TrimPrefix(err.Error(), "auth: "))
		return auth.Secret{}, false
	}
	return made, true
}

// keys reads or prepares a key set; endpoints with one address share it.
func (p *prover) keys(j *configv1.Jwt) auth.Keys {
	if j.JwksFile != "" {
		keys, warnings, err := jwks.ReadFile(j.JwksFile)
		if err != nil {
			p.problem(err.Error(), "jwt", "jwks_file")
		}
		for _, text := range warnings {
			p.config.warn("key set " + text)
		}
		return keys
	}
	known := slices.IndexFunc(p.config.KeySets, func(k *jwks.KeySet) bool { return k.At(j.JwksUrl) })
	if known >= 0 {
		return p.config.KeySets[known]
	}
	set, err := jwks.New(jwks.Options{URL: j.JwksUrl})
	if err != nil {
		p.problem(strings.TrimPrefix(err.Error(), "jwks: "), "jwt", "jwks_url")
		return nil
	}
	p.config.KeySets = append(p.config.KeySets, set)
	return set
}

func (p *prover) cannot() string {
	return fmt.Sprintf("%s does not support this; it supports: %s", p.vendor.Title, p.ways())
}

// ways lists the settings that prove a sender of this vendor.
func (p *prover) ways() string {
	var names []string
	for _, s := range p.vendor.Ways() {
		if name := s.Traits().Setting; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return strings.Join(names, "")
}

func (p *prover) problem(text string, field ...any) { p.add(p.path(field...), text) }

func (p *prover) path(field ...any) []*validate.FieldPathElement {
	return fieldPath(append([]any{"endpoints", p.at}, field...)...)
}

// networks reads a list of networks.
func (f *file) networks(texts []string, field ...any) []netip.Prefix {
	var all []netip.Prefix
	for i, text := range texts {
		n, err := auth.ParseNetwork(text)
		if err != nil {
			f.add(fieldPath(append(slices.Clone(field), i)...), err.Error())
			continue
		}
		all = append(all, n)
	}
	return all
}
