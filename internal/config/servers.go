package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"

	"github.com/kycbridge/kycbridge/internal/config/clientauth"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// How the program authenticates to Kafka and Redis, and what it trusts: the files are
// read here once, so that a wrong name is an error at start and not a failed connection.

// literals refuses secrets that stand in the file itself. It runs before
// variables are replaced.
func (f *file) literals(m *configv1.Config) {
	check := func(value string, at ...any) {
		if value != "" && !strings.Contains(value, "${") {
			f.add(fieldPath(at...), "holds the secret itself: write ${VAR} and put the secret into the environment, or name a file")
		}
	}
	check(m.GetKafka().GetSasl().GetPassword(), "kafka", "sasl", "password")
	check(m.GetKafka().GetSasl().GetOauth().GetClientSecret(), "kafka", "sasl", "oauth", "client_secret")
	check(m.GetRedis().GetSentinel().GetPassword(), "redis", "sentinel", "password")
}

func (f *file) kafka(k *configv1.Kafka, c *Config) {
	f.clientTLS(k.Tls, "kafka", "tls")
	if k.Sasl == nil {
		return
	}
	c.KafkaPassword = f.hidden(&k.Sasl.Password, k.Sasl.PasswordFile, fieldPath("kafka", "sasl", "password_file"), c)
	o := k.Sasl.Oauth
	if o == nil {
		return
	}
	c.KafkaClientSecret = f.hidden(&o.ClientSecret, o.ClientSecretFile, fieldPath("kafka", "sasl", "oauth", "client_secret_file"), c)
	f.authorities(o.CaFile, "kafka", "sasl", "oauth", "ca_file")
	if o.TokenFile != "" {
		_, err := clientauth.TokenFile(o.TokenFile)(context.Background())
		f.check(err, fieldPath("kafka", "sasl", "oauth", "token_file"))
	}
}

func (f *file) redis(r *configv1.Redis, c *Config) {
	f.clientTLS(r.Tls, "redis", "tls")
	if r.Sentinel != nil {
		c.SentinelPassword = f.hidden(&r.Sentinel.Password, r.Sentinel.PasswordFile, fieldPath("redis", "sentinel", "password_file"), c)
	}
}

func (f *file) clientTLS(t *configv1.ClientTls, at ...any) {
	if !t.GetEnabled() {
		return
	}
	f.authorities(t.CaFile, append(at, "ca_file")...)
	f.check(clientauth.CheckPair(t.CertificateFile, t.KeyFile), fieldPath(append(at, "certificate_file")...))
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
