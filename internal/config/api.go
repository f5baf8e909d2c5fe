package config

import (
	"fmt"

	"github.com/kycbridge/kycbridge/internal/secret"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// Credentials are the secrets of an endpoint's API, as far as they are
// configured.
type Credentials struct {
	Key, Password, ClientSecret secret.Value
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
		Key:          f.ofField(&a.Key, a.KeyFile, isLive(e), c, "endpoints", i, "api", "key"),
		Password:     f.ofField(&a.Password, a.PasswordFile, isLive(e), c, "endpoints", i, "api", "password"),
		ClientSecret: f.ofField(&a.ClientSecret, a.ClientSecretFile, isLive(e), c, "endpoints", i, "api", "client_secret"),
	}
	if c.File.Hydrate == nil {
		return
	}
	// A task holds the delivery and the object.
	if err := sink.CheckSizes(int64(e.MaxBodyBytes)+int64(c.File.Hydrate.MaxResponseBytes), c.File.Kafka.MaxMessageBytes); err != nil {
		f.add(fieldPath("hydrate", "max_response_bytes"), "beside a delivery: "+err.Error())
	}
}
