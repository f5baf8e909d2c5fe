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
	config *Config
	at     int // index of the endpoint
	vendor providers.Provider
	proofs auth.Proofs
	ids    map[string]bool // of secrets, seen so far
}

// proofs turns what an endpoint configures into its checks, in a fixed order.
func (f *file) proofs(i int, e *configv1.Endpoint, vendor providers.Provider, c *Config) auth.Proofs {
	before := len(f.problems)
	p := &prover{file: f, config: c, at: i, vendor: vendor, ids: map[string]bool{}}
	p.list(auth.KindHMAC, "", e.Secrets, "secrets")
	p.list(auth.KindBasic, "", e.Basic, "basic")
	p.list(auth.KindBearer, "", e.Bearer, "bearer")
	for j, h := range e.Headers {
		p.list(auth.KindHeader, h.Name, h.Secrets, "headers", j, "secrets")
	}
	p.list(auth.KindPathToken, "", e.PathTokens, "path_tokens")
	p.jwt(e.Jwt)
	if allowed := f.networks(e.AllowFrom, "endpoints", i, "allow_from"); len(allowed) > 0 {
		p.proofs = append(p.proofs, auth.Proof{Scheme: auth.Networks{Allow: allowed}})
	}
	if len(f.problems) == before {
		p.enough(e)
		p.passable()
	}
	return p.proofs
}

// enough wants a proof, or the word that there is none.
func (p *prover) enough(e *configv1.Endpoint) {
	switch {
	case p.proofs.Prove() && e.AllowUnauthenticated:
		p.problem("this endpoint has its sender proved, so it cannot also take deliveries without proof: take one of the two out", "allow_unauthenticated")
	case p.proofs.Prove():
	case e.AllowUnauthenticated:
		p.config.Warnings = append(p.config.Warnings, fmt.Sprintf(
			"endpoint %q takes deliveries without any proof of who sent them: whoever knows its address can make up events", e.Name))
	default:
		p.problem(fmt.Sprintf("nothing proves the sender: set %s, which %s can do (or allow_unauthenticated: true, to take deliveries from anybody)",
			p.ways(), p.vendor.Title))
	}
}

// passable wants every header to be read by one check at most. A request has each
// header once, and one value cannot be two proofs: such an endpoint would refuse all.
func (p *prover) passable() {
	readers := map[string]string{} // name of the header to the setting that has it read
	custom := 0
	for _, proof := range p.proofs {
		setting := setting(proof.Scheme)
		field := []any{setting}
		if setting == auth.KindHeader {
			field = append(field, custom, "name")
			custom++
		}
		name := http.CanonicalHeaderKey(proof.Scheme.Traits().Header)
		if name == "" {
			continue
		}
		if other, taken := readers[name]; taken {
			p.problem(fmt.Sprintf("%s and %s both read the header %s, which a request has once, so no delivery could pass both: take one of the two out",
				other, setting, name), field...)
		}
		readers[name] = setting
	}
}

// list makes one check of a list of secrets.
func (p *prover) list(kind, header string, secrets []*configv1.Secret, field ...any) {
	if len(secrets) == 0 {
		return
	}
	scheme := p.pattern(kind, header)
	if scheme == nil {
		p.problem(p.cannot(), field...)
		return
	}
	proof := auth.Proof{Scheme: scheme}
	for j, s := range secrets {
		if made, ok := p.secret(scheme, s, append(slices.Clone(field), j)); ok {
			proof.Secrets = append(proof.Secrets, made)
		}
	}
	p.proofs = append(p.proofs, proof)
}

// pattern is the vendor's scheme of a kind, for a header of the customer's choice
// with its name filled in; nil where the vendor has none.
func (p *prover) pattern(kind, header string) auth.Scheme {
	for _, s := range p.vendor.Ways() {
		own, isHeader := s.(auth.Header)
		switch {
		case auth.Kind(s) != kind:
		case !isHeader || strings.EqualFold(own.Name, header):
			return s
		case own.Name == "":
			return auth.Header{Name: header}
		}
	}
	return nil
}

func (p *prover) secret(scheme auth.Scheme, s *configv1.Secret, field []any) (auth.Secret, bool) {
	if p.ids[s.Id] {
		p.problem(fmt.Sprintf("%q is the id of another secret of the endpoint; every secret needs its own", s.Id), append(field, "id")...)
	}
	p.ids[s.Id] = true
	source := "value"
	if s.File != "" {
		source = "file"
	}
	at := p.path(append(field, source)...)
	before := len(p.problems)
	value := p.hidden(&s.Value, s.File, at, p.config)
	if len(p.problems) > before {
		return auth.Secret{}, false
	}
	made, err := auth.NewSecret(s.Id, value.value, instant(s.NotBefore), instant(s.NotAfter))
	if err == nil {
		err = auth.Check(scheme, made)
	}
	if err != nil {
		p.add(at, strings.TrimPrefix(err.Error(), "auth: "))
		return auth.Secret{}, false
	}
	return made, true
}

func (p *prover) jwt(j *configv1.Jwt) {
	if j == nil {
		return
	}
	var places []string
	for _, s := range p.vendor.Ways() {
		scheme, ok := s.(auth.JWT)
		switch {
		case !ok:
			continue
		case strings.EqualFold(scheme.Header, j.Header):
			scheme.Issuer, scheme.Audience, scheme.Algorithms, scheme.Leeway = j.Issuer, j.Audience, j.Algorithms, j.Leeway.AsDuration()
			scheme.Keys = p.keys(j)
			p.proofs = append(p.proofs, auth.Proof{Scheme: scheme})
			return
		case scheme.Header == "":
			places = append(places, "in the body (leave header out)")
		default:
			places = append(places, "in the header "+scheme.Header)
		}
	}
	if len(places) == 0 {
		p.problem(p.cannot(), "jwt")
		return
	}
	p.problem(fmt.Sprintf("%s sends its token %s", p.vendor.Title, strings.Join(places, " or ")), "jwt", "header")
}

// keys reads or prepares a key set; endpoints with one address share it.
func (p *prover) keys(j *configv1.Jwt) auth.Keys {
	if j.JwksFile != "" {
		keys, err := jwks.ReadFile(j.JwksFile)
		if err != nil {
			p.problem(err.Error(), "jwt", "jwks_file")
		}
		return keys
	}
	known := slices.IndexFunc(p.config.KeySets, func(k *jwks.KeySet) bool { return k.URL() == j.JwksUrl })
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
	return fmt.Sprintf("%s has no such proof; it can do: %s", p.vendor.Title, p.ways())
}

// ways lists the settings that prove a sender of this vendor.
func (p *prover) ways() string {
	var names []string
	for _, s := range p.vendor.Ways() {
		if name := setting(s); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return strings.Join(names, "")
}

// setting is the name under which a configuration has a scheme.
func setting(s auth.Scheme) string {
	if kind := auth.Kind(s); kind != auth.KindHMAC {
		return kind
	}
	return "secrets"
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
