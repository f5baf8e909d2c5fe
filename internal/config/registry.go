package config

import (
	"fmt"
	"strings"

	"github.com/kycbridge/kycbridge/internal/config/clientauth"
	"github.com/kycbridge/kycbridge/internal/registry"
	"github.com/kycbridge/kycbridge/internal/secret"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// Registry is the schema registry, and what of it events are written with.
func (c *Config) Registry() registry.Use {
	u := registry.Use{Prefix: c.File.Kafka.TopicPrefix, Place: idPlace(c.File.Topics.Encoding)}
	r := c.File.Registry
	if r == nil {
		return u
	}
	u.Options = registry.Options{
		URL: r.Url, TLS: clientauth.TLS{CAFile: r.CaFile, CertificateFile: r.CertificateFile, KeyFile: r.KeyFile},
		Username: r.Username, Password: latest(c.RegistryPassword), Token: latest(c.RegistryToken),
	}
	return u
}

func idPlace(e configv1.Encoding) registry.Place {
	switch e {
	case configv1.Encoding_ENCODING_CONFLUENT_PROTOBUF:
		return registry.InFront
	case configv1.Encoding_ENCODING_CONFLUENT_HEADER:
		return registry.InHeader
	}
	return registry.Nowhere
}

// latest gives nil for no secret.
func latest(v secret.Value) func() string {
	if !v.Set() {
		return nil
	}
	return v.Latest()
}

// registry reads the secrets and files of the registry, and finds what would show them to others.
func (f *file) registry(r *configv1.Registry, needs Needs, c *Config) {
	if r == nil {
		writes := needs.Normalize || needs.Hydrate
		if e := c.File.Topics.Encoding; writes && idPlace(e) != registry.Nowhere {
			f.add(fieldPath("topics", "encoding"), fmt.Sprintf("%s needs the ids of schemas, and registry is not set: set registry.url, or another encoding", strings.TrimPrefix(e.String(), "ENCODING_")))
		}
		return
	}
	c.RegistryPassword = f.shared(&r.Password, r.PasswordFile, c, "registry", "password")
	c.RegistryToken = f.shared(&r.Token, r.TokenFile, c, "registry", "token")
	f.authorities(r.CaFile, "registry", "ca_file")
	if f.privateKey(r.KeyFile, c, "registry", "key_file") {
		f.check(clientauth.CheckPair(r.CertificateFile, r.KeyFile), fieldPath("registry", "certificate_file"))
	}
	f.check(c.Registry().Options.Check(), fieldPath("registry", "url"))
}
