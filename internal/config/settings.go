package config

import (
	"fmt"

	"github.com/kycbridge/kycbridge/providers/auth"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// setting is one by which an endpoint has its sender proved: how its checks are read,
// and how one is written.
type setting struct {
	name  string // auth.Traits.Setting of the schemes it is for
	read  func(*configv1.Endpoint) []entry
	write func(*configv1.Endpoint, entry)
}

// entry is one check as it is configured.
type entry struct {
	field   []any              // where it is: its list of secrets, or all of it
	secrets []*configv1.Secret // any of which proves the sender
	token   *configv1.Jwt      // what proves it where there are no secrets
	named   []any              // where it names the header that is read; nil where it does not
	header  string             // the name
}

// settings are all of them, in the order in which their checks are made.
var settings = []setting{
	ofSecrets("secrets", func(e *configv1.Endpoint) *[]*configv1.Secret { return &e.Secrets }),
	ofSecrets("basic", func(e *configv1.Endpoint) *[]*configv1.Secret { return &e.Basic }),
	ofSecrets("bearer", func(e *configv1.Endpoint) *[]*configv1.Secret { return &e.Bearer }),
	{"headers", readHeaders, writeHeader},
	ofSecrets("path_tokens", func(e *configv1.Endpoint) *[]*configv1.Secret { return &e.PathTokens }),
	{"jwt", readToken, writeToken},
}

// ofSecrets is a setting that is a list of secrets and nothing else.
func ofSecrets(name string, in func(*configv1.Endpoint) *[]*configv1.Secret) setting {
	read := func(e *configv1.Endpoint) []entry {
		if len(*in(e)) == 0 {
			return nil
		}
		return []entry{{field: []any{name}, secrets: *in(e)}}
	}
	return setting{name, read, func(e *configv1.Endpoint, one entry) { *in(e) = append(*in(e), one.secrets...) }}
}

func readHeaders(e *configv1.Endpoint) []entry {
	var all []entry
	for i, h := range e.Headers {
		all = append(all, entry{field: []any{"headers", i, "secrets"}, secrets: h.Secrets, named: []any{"headers", i, "name"}, header: h.Name})
	}
	return all
}

func writeHeader(e *configv1.Endpoint, one entry) {
	e.Headers = append(e.Headers, &configv1.HeaderProof{Name: one.header, Secrets: one.secrets})
}

func readToken(e *configv1.Endpoint) []entry {
	if e.Jwt == nil {
		return nil
	}
	return []entry{{field: []any{"jwt"}, token: e.Jwt, named: []any{"jwt", "header"}, header: e.Jwt.Header}}
}

func writeToken(e *configv1.Endpoint, one entry) {
	e.Jwt = one.token
	e.Jwt.Header = one.header
}

// Prove configures e with a check by the scheme, as a file would: with secrets that
// vendor and endpoint share, or with what a token must be. It takes both over.
func Prove(e *configv1.Endpoint, scheme auth.Scheme, secrets []*configv1.Secret, token *configv1.Jwt) error {
	t := scheme.Traits()
	for _, s := range settings {
		if s.name == t.Setting {
			s.write(e, entry{header: t.Header, secrets: secrets, token: token})
			return nil
		}
	}
	return fmt.Errorf("an endpoint has no setting %q, which the scheme %s asks for", t.Setting, t.Kind)
}
