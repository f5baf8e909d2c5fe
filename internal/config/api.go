package config

import (
	"fmt"

	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// Credentials are the secrets of an endpoint's API, as far as they are
// configured.
type Credentials struct {
	Key, Password, ClientSecret Hidden
}

// api checks what the vendor says about its API against what is configured, and
// takes the secrets out of the message.
func (f *file) api(i int, e *configv1.Endpoint, out *Endpoint, c *Config) {
	h := out.Vendor.Hydration
	switch {
	case e.Api == nil && (h == nil || !h.Required):
		return
	case e.Api == nil:
		f.add(fieldPath("endpoints", i, "api"), fmt.Sprintf("is not set; the webhooks of %s hold only an id: set api, with the credentials for its API", out.Vendor.Title))
		return
	case h == nil:
		f.add(fieldPath("endpoints", i, "api"), fmt.Sprintf("is set, but the webhooks of %s hold everything; remove it", out.Vendor.Title))
		return
	}
	a := e.Api
	out.API = Credentials{
		Key:          f.hidden(&a.Key, a.KeyFile, fieldPath("endpoints", i, "api", "key_file"), c),
		Password:     f.hidden(&a.Password, a.PasswordFile, fieldPath("endpoints", i, "api", "password_file"), c),
		ClientSecret: f.hidden(&a.ClientSecret, a.ClientSecretFile, fieldPath("endpoints", i, "api", "client_secret_file"), c),
	}
	if c.File.Hydrate == nil {
		return
	}
	// A task holds the delivery and the object.
	if err := sink.CheckSizes(int64(e.MaxBodyBytes)+int64(c.File.Hydrate.MaxResponseBytes), c.File.Kafka.MaxMessageBytes); err != nil {
		f.add(fieldPath("hydrate", "max_response_bytes"), "beside a delivery: "+err.Error())
	}
}
