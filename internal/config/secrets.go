package config

import (
	"fmt"
	"slices"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kycbridge/kycbridge/internal/secret"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// secretFields are the fields that are secrets. In a file each is one variable and nothing else; beside each is
// one that names a file instead.
var secretFields = []protoreflect.FullName{
	"kycbridge.config.v1.Secret.value",
	"kycbridge.config.v1.Sasl.password",
	"kycbridge.config.v1.Oauth.client_secret",
	"kycbridge.config.v1.Redis.password",
	"kycbridge.config.v1.RedisSentinel.password",
	"kycbridge.config.v1.Dedupe.pepper",
	"kycbridge.config.v1.Registry.password",
	"kycbridge.config.v1.Registry.token",
	"kycbridge.config.v1.Api.key",
	"kycbridge.config.v1.Api.password",
	"kycbridge.config.v1.Api.client_secret",
}

func isSecret(fd protoreflect.FieldDescriptor) bool {
	return slices.Contains(secretFields, fd.FullName())
}

// shared is a secret of the process and so of all endpoints. at is its field; that of its file has "_file" at its end.
func (f *file) shared(value *string, path string, c *Config, at ...any) secret.Value {
	return f.ofField(value, path, f.live, c, at...)
}

func (f *file) ofField(value *string, path string, live bool, c *Config, at ...any) secret.Value {
	if last := len(at) - 1; path != "" {
		at = append(slices.Clone(at[:last]), fmt.Sprint(at[last], "_file"))
	}
	return f.take(value, path, live, c, fieldPath(at...))
}

// take takes a secret out of the message, or reads its file. One that anybody might know is refused where live
// customers depend on it.
func (f *file) take(value *string, path string, live bool, c *Config, at []*validate.FieldPathElement) secret.Value {
	v := secret.Of(*value)
	*value = ""
	if path != "" {
		var err error
		if v, err = f.fromFile(path, c); err != nil {
			f.add(at, err.Error())
			return secret.Value{}
		}
	}
	why := v.Weak()
	switch {
	case why == "" || f.trusted:
	case live:
		f.add(at, why+": take the vendor's, or make one of 16 random bytes or more")
	default:
		c.warn(fmt.Sprintf("%s %s; it is refused once an endpoint it serves has ENVIRONMENT_LIVE", protovalidate.FieldPathString(&validate.FieldPath{Elements: at}), why))
	}
	return v
}

func (f *file) fromFile(path string, c *Config) (secret.Value, error) {
	v, warnings, err := secret.FromFile(path)
	for _, text := range warnings {
		c.warn("secret file " + text)
	}
	return v, err
}

// warn notes what works but should not stay, once.
func (c *Config) warn(text string) {
	if !slices.Contains(c.Warnings, text) {
		c.Warnings = append(c.Warnings, text)
	}
}

// isLive reports whether real customers depend on an endpoint.
func isLive(e *configv1.Endpoint) bool {
	return e.GetEnvironment() == kycv1.Environment_ENVIRONMENT_LIVE
}
