package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"

	"github.com/kycbridge/kycbridge/internal/config/clientauth"
	"github.com/kycbridge/kycbridge/internal/secret"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// How the program authenticates to Kafka and Redis, and what it trusts: the files are
// read here once, so that a wrong name is an error at start and not a failed connection.

// maxKeyFile bounds the file of a private key, in bytes.
const maxKeyFile = 1 << 20

func (f *file) kafka(k *configv1.Kafka, c *Config) {
	f.clientTLS(k.Tls, c, "kafka", "tls")
	if k.Sasl == nil {
		return
	}
	c.KafkaPassword = f.shared(&k.Sasl.Password, k.Sasl.PasswordFile, c, "kafka", "sasl", "password")
	o := k.Sasl.Oauth
	if o == nil {
		return
	}
	c.KafkaClientSecret = f.shared(&o.ClientSecret, o.ClientSecretFile, c, "kafka", "sasl", "oauth", "client_secret")
	f.authorities(o.CaFile, "kafka", "sasl", "oauth", "ca_file")
	if o.TokenFile != "" {
		_, err := clientauth.TokenFile(o.TokenFile)(context.Background())
		f.check(err, fieldPath("kafka", "sasl", "oauth", "token_file"))
	}
}

func (f *file) redis(r *configv1.Redis, c *Config) {
	f.clientTLS(r.Tls, c, "redis", "tls")
	if r.Sentinel != nil {
		c.SentinelPassword = f.shared(&r.Sentinel.Password, r.Sentinel.PasswordFile, c, "redis", "sentinel", "password")
	}
}

func (f *file) clientTLS(t *configv1.ClientTls, c *Config, at ...any) {
	if !t.GetEnabled() {
		return
	}
	f.authorities(t.CaFile, append(at, "ca_file")...)
	if !f.privateKey(t.KeyFile, c, append(at, "key_file")...) {
		return
	}
	f.check(clientauth.CheckPair(t.CertificateFile, t.KeyFile), fieldPath(append(at, "certificate_file")...))
}

// privateKey notes a key that others may change; that they can read it is a matter of the lint. One that is not there is
// not its matter either: whoever opens it says so, and a configuration may be checked where its certificates are not.
func (f *file) privateKey(path string, c *Config, at ...any) (ok bool) {
	if path == "" {
		return true
	}
	_, warnings, err := secret.ReadTrusted(path, maxKeyFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.add(fieldPath(at...), err.Error())
		return false
	}
	for _, text := range warnings {
		c.warn("key file " + text)
	}
	return true
}

func (f *file) authorities(name string, at ...any) {
	_, err := clientauth.Authorities(name)
	f.check(err, fieldPath(at...))
}

// check notes a file that cannot be used.
func (f *file) check(err error, at []*validate.FieldPathElement) {
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		f.add(at, fmt.Sprintf("%v: correct the path, or create the file", err))
	default:
		f.add(at, err.Error())
	}
}
