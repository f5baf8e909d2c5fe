package config

import (
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
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
	Endpoints     []Endpoint
	RedisPassword Hidden
	Pepper        Hidden
	Encoder       contract.Encoder // of domain events

	KafkaPassword     Hidden // of kafka.sasl
	KafkaClientSecret Hidden // of kafka.sasl.oauth
	SentinelPassword  Hidden // of redis.sentinel

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

// Hidden is a secret that is not an endpoint's. It prints as [secret]; Reveal gives its
// value to the one place that needs it.
type Hidden struct {
	value []byte
	file  string // "" where it came from elsewhere
}

// Reveal returns the secret; nil where none is configured.
func (h Hidden) Reveal() []byte { return h.value }

// Latest returns what gives the secret as it is now: a file is read again each time, and what was read
// last is given while it cannot be.
func (h Hidden) Latest() func() string {
	if h.file == "" {
		return func() string { return string(h.value) }
	}
	var last atomic.Pointer[[]byte]
	last.Store(&h.value)
	return func() string {
		if content, _, err := readSecretFile(h.file); err == nil {
			last.Store(&content)
		}
		return string(*last.Load())
	}
}

// Format serves every verb of fmt and shows nothing.
func (h Hidden) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[secret]")) }

// MarshalText serves encoders and slog.
func (h Hidden) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// resolve finds what the file only names, vendors and secrets, and checks what spans
// several fields. Problems are noted in f.
func (f *file) resolve(m *configv1.Config, needs Needs) *Config {
	c := &Config{File: m, Encoder: encoder(m.Topics.Encoding)}
	for i, e := range m.Endpoints {
		c.Endpoints = append(c.Endpoints, f.endpoint(i, e, needs, c))
	}
	c.Trusted = f.networks(m.Ingest.TrustedProxies, "ingest", "trusted_proxies")
	c.RedisPassword = f.hidden(&m.Redis.Password, m.Redis.PasswordFile, fieldPath("redis", "password_file"), c)
	c.Pepper = f.hidden(&m.Dedupe.Pepper, m.Dedupe.PepperFile, fieldPath("dedupe", "pepper_file"), c)
	if n := len(c.Pepper.value); n > 0 && n < auth.MinSecret {
		f.add(fieldPath("dedupe"), fmt.Sprintf("the pepper has %d bytes; use at least %d, or none", n, auth.MinSecret))
	}
	f.kafka(m.Kafka, c)
	f.redis(m.Redis, c)
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

// hidden takes a secret out of the message, or reads its file.
func (f *file) hidden(value *string, path string, at []*validate.FieldPathElement, c *Config) Hidden {
	if path == "" {
		h := Hidden{value: []byte(*value)}
		*value = ""
		if len(h.value) == 0 {
			return Hidden{}
		}
		return h
	}
	content, warning, err := readSecretFile(path)
	if err != nil {
		f.add(at, err.Error())
		return Hidden{}
	}
	if warning != "" {
		c.Warnings = append(c.Warnings, warning)
	}
	return Hidden{value: content, file: path}
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
