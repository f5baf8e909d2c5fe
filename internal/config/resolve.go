package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	"github.com/kycbridge/kycbridge/providers/auth/jwks"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// Config is a configuration ready for use: every default filled in, every
// variable replaced, every secret read and taken out of the message, so that
// File can be printed.
type Config struct {
	File          *configv1.Config
	Vendors       []providers.Provider // that it was read for, those of Needs
	Endpoints     []Endpoint
	RedisPassword secret.Value
	Pepper        secret.Value
	Encoder       contract.Encoder // of the domain topics, without what only a registry knows

	KafkaPassword     secret.Value // of kafka.sasl
	KafkaClientSecret secret.Value // of kafka.sasl.oauth
	SentinelPassword  secret.Value // of redis.sentinel
	RegistryPassword  secret.Value
	RegistryToken     secret.Value

	KeySets  []*jwks.KeySet // behind the tokens of the endpoints; whoever serves must Run them
	Trusted  []netip.Prefix // ingest.trusted_proxies
	Warnings []string       // what works but should not stay; one line each
}

// Endpoint is a configured endpoint with what its names stand for.
type Endpoint struct {
	*configv1.Endpoint
	Vendor providers.Provider
	API    Credentials // for Api, where that is set
	Proofs auth.Proofs // every configured check; none only with allow_unauthenticated
}

// resolve finds what the file only names, vendors and secrets, and checks what spans
// several fields. Problems are noted in f.
func (f *file) resolve(m *configv1.Config, needs Needs) *Config {
	c := &Config{File: m, Vendors: needs.Vendors, Encoder: contract.Protobuf{}}
	for i, e := range m.Endpoints {
		c.Endpoints = append(c.Endpoints, f.endpoint(i, e, needs, c))
	}
	c.Trusted = f.networks(m.Ingest.TrustedProxies, "ingest", "trusted_proxies")
	c.RedisPassword = f.shared(&m.Redis.Password, m.Redis.PasswordFile, c, "redis", "password")
	c.Pepper = f.shared(&m.Dedupe.Pepper, m.Dedupe.PepperFile, c, "dedupe", "pepper")
	if c.Pepper.Set() && len(c.Pepper.Reveal()) < auth.MinSecret {
		f.add(fieldPath("dedupe"), fmt.Sprintf("the pepper is too short; use at least %d bytes, or none", auth.MinSecret))
	}
	f.privateKey(m.Ingest.GetTls().GetKeyFile(), c, "ingest", "tls", "key_file")
	f.kafka(m.Kafka, c)
	f.redis(m.Redis, c)
	f.registry(m.Registry, needs, c)
	f.required(m, needs)
	return c
}

// required checks what only some commands need.
func (f *file) required(m *configv1.Config, needs Needs) {
	if (needs.Normalize || needs.Hydrate) && m.Redis.Address == "" && m.Redis.Sentinel == nil && m.Redis.Cluster == nil {
		f.add(fieldPath("redis", "address"), "is not set; `normalize`, `hydrate` and `all` need a Redis: an address such as 127.0.0.1:6379, or redis.sentinel, or redis.cluster")
	}
	if needs.Ingest && m.Ingest.Listen == "" {
		f.add(fieldPath("ingest", "listen"), "is not set; `ingest` and `all` need an address to listen on, such as 127.0.0.1:8080")
	}
	if needs.Ingest && len(m.Endpoints) == 0 {
		f.add(fieldPath("endpoints"), "is empty; `ingest` and `all` need at least one, with name, provider, environment and a proof of its sender")
	}
}

func (f *file) endpoint(i int, e *configv1.Endpoint, needs Needs, c *Config) Endpoint {
	out, vendors := Endpoint{Endpoint: e}, needs.Vendors
	v := slices.IndexFunc(vendors, func(p providers.Provider) bool { return p.Name == e.Provider })
	if v < 0 {
		f.add(fieldPath("endpoints", i, "provider"), unknown("provider", e.Provider, vendorNames(vendors)))
		return out
	}
	out.Vendor = vendors[v]
	defaultBody(e, c.File.Ingest, out.Vendor)
	if err := sink.CheckSizes(int64(e.MaxBodyBytes), c.File.Kafka.MaxMessageBytes); err != nil {
		f.add(fieldPath("endpoints", i, "max_body_bytes"), err.Error())
	}
	if err := sink.CheckWaiting(int64(e.MaxBodyBytes), c.File.Ingest.MaxWaitingBodyBytes); err != nil {
		f.add(fieldPath("endpoints", i, "max_body_bytes"), err.Error())
	}
	f.api(i, e, &out, c)
	if needs.Ingest { // nothing else judges senders
		out.Proofs = f.proofs(i, e, out.Vendor, c)
	}
	return out
}

func instant(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func vendorNames(vendors []providers.Provider) []string {
	names := make([]string, len(vendors))
	for i, v := range vendors {
		names[i] = v.Name
	}
	return names
}

// fieldPath builds a path from field names, each list field followed by an
// index. Names are ours, so a wrong one is a bug and panics in the first test.
func fieldPath(parts ...any) []*validate.FieldPathElement {
	var path []*validate.FieldPathElement
	md := (&configv1.Config{}).ProtoReflect().Descriptor()
	for _, p := range parts {
		if i, ok := p.(int); ok {
			path[len(path)-1].Subscript = &validate.FieldPathElement_Index{Index: uint64(i)}
			continue
		}
		fd := md.Fields().ByName(protoreflect.Name(p.(string)))
		path = append(path, element(fd))
		md = fd.Message()
	}
	return path
}
