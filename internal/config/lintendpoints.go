package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

func (l *linter) unauthenticated() {
	for i, e := range l.config.Endpoints {
		if e.AllowUnauthenticated {
			l.ofEndpoint(i, []any{"allow_unauthenticated"}, "endpoint %q accepts deliveries without authentication", e.Name)
		}
	}
}

func (l *linter) unsigned() {
	for i, e := range l.config.Endpoints {
		if e.Proofs.Prove() && canSign(e.Vendor) && !slices.ContainsFunc(e.Proofs, func(p auth.Proof) bool { return signs(p.Scheme) }) {
			l.ofEndpoint(i, nil, "%s signs, and nothing that endpoint %q checks is signed", e.Vendor.Title, e.Name)
		}
	}
}

func canSign(v providers.Provider) bool { return slices.ContainsFunc(v.Ways(), signs) }

// signs reports whether a scheme proves what is said and not only who says it: by a signature over the body, or as
// a token that the vendor has signed.
func signs(s auth.Scheme) bool {
	t := s.Traits()
	return t.BindsBody || t.MakeKey != nil
}

func (l *linter) noValidSecret() {
	for i, e := range l.config.Endpoints {
		for _, k := range keysOf(e) {
			if len(k.secrets) > 0 && !slices.ContainsFunc(k.secrets, func(s *configv1.Secret) bool { return validAt(s, l.now) }) {
				l.ofEndpoint(i, k.field, "%s", whenValid(k.secrets, l.now))
			}
		}
	}
}

func validAt(s *configv1.Secret, now time.Time) bool {
	return (s.NotBefore == nil || !now.Before(s.NotBefore.AsTime())) && (s.NotAfter == nil || now.Before(s.NotAfter.AsTime()))
}

// whenValid says when secrets were or will be valid that are not now.
func whenValid(secrets []*configv1.Secret, now time.Time) string {
	var last, next time.Time
	for _, s := range secrets {
		if begin := instant(s.NotBefore); begin.After(now) {
			if next.IsZero() || begin.Before(next) {
				next = begin
			}
		} else if end := instant(s.NotAfter); end.After(last) {
			last = end
		}
	}
	if next.IsZero() {
		return fmt.Sprintf("no secret of %d is valid any more: the last ended %s", len(secrets), last.Format(time.RFC3339))
	}
	return fmt.Sprintf("no secret of %d is valid yet: the next begins %s", len(secrets), next.Format(time.RFC3339))
}

func (l *linter) referenceAsIs() {
	if !l.needs.Normalize && !l.needs.Hydrate {
		return
	}
	for i, e := range l.config.Endpoints {
		if asIs(e) {
			l.ofEndpoint(i, []any{"customer_reference"}, "the customer's references of endpoint %q leave as they came", e.Name)
		}
	}
}

// allowed calls what looks at each network that an endpoint allows.
func (l *linter) allowed(look func(i, at int, p netip.Prefix)) {
	if !l.needs.Ingest {
		return
	}
	for i, e := range l.config.Endpoints {
		for at, text := range e.AllowFrom {
			if p, err := auth.ParseNetwork(text); err == nil {
				look(i, at, p)
			}
		}
	}
}

func (l *linter) allowFromEverybody() {
	l.allowed(func(i, at int, p netip.Prefix) {
		if wide(p) {
			l.ofEndpoint(i, []any{"allow_from", at}, "allows all of %s", p)
		}
	})
}

func (l *linter) allowFromProxy() {
	l.allowed(func(i, at int, p netip.Prefix) {
		if t := slices.IndexFunc(l.config.Trusted, p.Overlaps); t >= 0 && !wide(p) && !wide(l.config.Trusted[t]) {
			l.ofEndpoint(i, []any{"allow_from", at}, "allows %s, which has addresses of the trusted proxies %s", p, l.config.Trusted[t])
		}
	})
}

func (l *linter) allowFromPrivate() {
	l.allowed(func(i, at int, p netip.Prefix) {
		if isPrivate(p) && !slices.ContainsFunc(l.config.Trusted, p.Overlaps) {
			l.ofEndpoint(i, []any{"allow_from", at}, "allows the private network %s", p)
		}
	})
}

func (l *linter) keySetPlain() {
	for i, e := range l.config.Endpoints {
		if u, err := url.Parse(e.Jwt.GetJwksUrl()); err == nil && u.Scheme == "http" {
			l.ofEndpoint(i, []any{"jwt", "jwks_url"}, "the keys of the vendor's tokens are fetched over http")
		}
	}
}

func (l *linter) apiPlain() {
	for i, e := range l.config.Endpoints {
		for field, address := range map[string]string{"base_url": e.Api.GetBaseUrl(), "token_url": e.Api.GetTokenUrl()} {
			if u, err := url.Parse(address); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
				l.ofEndpoint(i, []any{"api", field}, "an API on another machine is asked over http")
			}
		}
	}
}

// apiInternal looks for endpoints whose API is the vendor's own, and yet allowed to be anywhere.
func (l *linter) apiInternal() {
	for i, e := range l.config.Endpoints {
		h := e.Vendor.Hydration
		if e.Api.GetInternal() && h != nil && slices.Contains([]string{"", h.BaseURL, h.SandboxURL}, e.Api.BaseUrl) {
			l.ofEndpoint(i, []any{"api", "internal"}, "is true for the API of %s at its own address", e.Vendor.Title)
		}
	}
}
