package config

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"

	"github.com/kycbridge/kycbridge/providers/auth"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// What secrets are for.
const (
	ofSenders = "the proof of a sender"
	ofAPIs    = "a vendor's API"
	ofServers = "a server of our own"
	ofPepper  = "the pepper"
)

// mark tells equal secrets from others, and says nothing about them.
type mark [sha256.Size]byte

// A use is one place where a secret is used, or a kind of token believed.
type use struct {
	mark     mark
	purpose  string
	endpoint int // index; -1 for what is the process's
	at       []*validate.FieldPathElement
	token    bool
}

// secretsOf is one list of secrets of an endpoint, in the file and as it is checked.
type secretsOf struct {
	field   []any // of the list, below the endpoint
	secrets []*configv1.Secret
	read    []auth.Secret
}

// keysOf are the lists of an endpoint. They are read in the order of its checks.
func keysOf(e Endpoint) (all []secretsOf) {
	at := 0
	for _, s := range settings {
		for _, entry := range s.read(e.Endpoint) {
			if at < len(e.Proofs) { // a process that judges no senders has none
				all = append(all, secretsOf{entry.field, entry.secrets, e.Proofs[at].Secrets})
			}
			at++
		}
	}
	return all
}

// senders are the secrets and tokens that prove senders.
func (l *linter) senders() (all []use) {
	for i, e := range l.config.Endpoints {
		for _, k := range keysOf(e) {
			for j, s := range k.read {
				at := endpointPath(i, append(slices.Clone(k.field), j)...)
				all = append(all, use{markOf(s), ofSenders, i, at, false})
			}
		}
		if t := e.Jwt; t != nil && l.needs.Ingest {
			keys := sha256.Sum256([]byte(strings.Join([]string{t.JwksUrl, t.JwksFile, t.Issuer, t.Audience}, "\x00")))
			all = append(all, use{keys, ofSenders, i, endpointPath(i, "jwt", "audience"), true})
		}
	}
	return all
}

// apis are the credentials for the vendors' APIs.
func (l *linter) apis() (all []use) {
	for i, e := range l.config.Endpoints {
		for _, c := range []struct {
			field string
			value string
		}{{"key", e.API.Key.Reveal()}, {"password", e.API.Password.Reveal()}, {"client_secret", e.API.ClientSecret.Reveal()}} {
			all = appendUse(all, ofAPIs, i, endpointPath(i, "api", c.field), c.value)
		}
	}
	return all
}

// own are the secrets of the process.
func (l *linter) own() (all []use) {
	c := l.config
	all = appendUse(all, ofServers, -1, fieldPath("kafka", "sasl", "password"), c.KafkaPassword.Reveal())
	all = appendUse(all, ofServers, -1, fieldPath("kafka", "sasl", "oauth", "client_secret"), c.KafkaClientSecret.Reveal())
	all = appendUse(all, ofServers, -1, fieldPath("redis", "password"), c.RedisPassword.Reveal())
	all = appendUse(all, ofServers, -1, fieldPath("redis", "sentinel", "password"), c.SentinelPassword.Reveal())
	return appendUse(all, ofPepper, -1, fieldPath("dedupe", "pepper"), c.Pepper.Reveal())
}

// appendUse appends a use of a secret that is one: what is shorter than a secret of an endpoint may be equal to
// another by chance.
func appendUse(all []use, purpose string, endpoint int, at []*validate.FieldPathElement, value string) []use {
	s, err := auth.NewSecret("secret", []byte(value), time.Time{}, time.Time{})
	if err != nil {
		return all
	}
	return append(all, use{markOf(s), purpose, endpoint, at, false})
}

func markOf(s auth.Secret) mark { return auth.Proofs{{Secrets: []auth.Secret{s}}}.Digest() }

// first gives the first use of each secret, and calls what looks at each later one beside it.
func first(uses []use, look func(first, again use)) {
	seen := map[mark]use{}
	for _, u := range uses {
		if before, used := seen[u.mark]; used {
			look(before, u)
			continue
		}
		seen[u.mark] = u
	}
}

func (l *linter) secretReused() {
	uses := slices.Concat(l.senders(), l.apis(), l.own())
	first(uses, func(before, again use) {
		if before.purpose != again.purpose {
			l.note(l.touchesLive(before, again), again.at, "is the same secret as %s, for %s", l.name(before), before.purpose)
		}
	})
}

func (l *linter) secretAsName() {
	names := l.names()
	for _, u := range slices.Concat(l.senders(), l.apis(), l.own()) {
		if what := names[u.mark]; what != "" {
			l.note(l.touchesLive(u), u.at, "is also %s", what)
		}
	}
}

// names are what the file calls things, each with what it names.
func (l *linter) names() map[mark]string {
	all := map[mark]string{}
	add := func(what, name string) {
		if s, err := auth.NewSecret("name", []byte(name), time.Time{}, time.Time{}); err == nil {
			all[markOf(s)] = what
		}
	}
	m := l.config.File
	add("the name of the client at Kafka", m.Kafka.ClientId)
	add("the user at Kafka", m.Kafka.Sasl.GetUsername())
	add("the client for Kafka's tokens", m.Kafka.Sasl.GetOauth().GetClientId())
	add("the user at Redis", m.Redis.Username)
	add("the user at the Sentinels", m.Redis.Sentinel.GetUsername())
	for _, e := range l.config.Endpoints {
		add("the name of an endpoint", e.Name)
		add("the name of a tenant", e.Tenant)
		add("the user of an API", e.Api.GetUsername())
		add("the client of an API", e.Api.GetClientId())
		for _, k := range keysOf(e) {
			for _, s := range k.secrets {
				add("the id of a secret", s.Id)
			}
		}
	}
	return all
}

func (l *linter) proofAcrossTenants() {
	first(l.senders(), func(before, again use) {
		if l.apart(before, again) {
			l.note(l.touchesLive(before, again), again.at, "%s %s, which is of another tenant or environment", sameAs(again), l.name(before))
		}
	})
}

func (l *linter) proofAcrossEndpoints() {
	first(l.senders(), func(before, again use) {
		if before.endpoint != again.endpoint && !l.apart(before, again) {
			l.note(l.touchesLive(before, again), again.at, "%s %s", sameAs(again), l.name(before))
		}
	})
}

func (l *linter) secretTwice() {
	type place struct {
		mark
		endpoint int
	}
	seen := map[place]bool{}
	for _, u := range l.senders() {
		p := place{u.mark, u.endpoint}
		if seen[p] {
			l.ofEndpoint(u.endpoint, nil, "has one secret twice, the second time as %s", fieldText(u.at))
		}
		seen[p] = true
	}
}

func sameAs(u use) string {
	if u.token {
		return "believes the same tokens as"
	}
	return "is the same secret as that of"
}

func (l *linter) apiAcrossTenants() {
	first(l.apis(), func(before, again use) {
		if l.apart(before, again) {
			l.note(l.touchesLive(before, again), again.at, "are the same credentials as those of %s, which is of another tenant or environment", l.name(before))
		}
	})
}

// apart reports whether two uses are by different tenants or environments.
func (l *linter) apart(a, b use) bool {
	one, other := l.config.Endpoints[a.endpoint], l.config.Endpoints[b.endpoint]
	return one.Tenant != other.Tenant || one.Environment != other.Environment
}

func (l *linter) touchesLive(uses ...use) bool {
	return slices.ContainsFunc(uses, func(u use) bool {
		return u.endpoint < 0 && l.live || u.endpoint >= 0 && isLive(l.config.Endpoints[u.endpoint].Endpoint)
	})
}

// name is where a use is, for people.
func (l *linter) name(u use) string {
	if u.endpoint < 0 {
		return fieldText(u.at)
	}
	return fmt.Sprintf("endpoint %q", cmp.Or(l.config.Endpoints[u.endpoint].Name, fieldText(u.at)))
}
