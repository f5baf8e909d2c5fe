package serve

import (
	"crypto/tls"
	"errors"
	"time"

	"github.com/kycbridge/kycbridge/ingest"
	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/providers"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// The functions here turn the configuration into the options of the stages, one
// function for each. What connects to servers is made by package config.

// ingestOptions leaves Log, Logger and Registerer to the caller.
func ingestOptions(c *config.Config) ingest.Options {
	i := c.File.Ingest
	delay := i.DrainDelay.AsDuration()
	if delay == 0 {
		delay = -1 // "0s" means none; zero would mean the default
	}
	o := ingest.Options{
		MaxRequests:         int(i.MaxRequests),
		MaxWaitingBytes:     i.MaxWaitingBodyBytes,
		MaxUnprovedBytes:    i.MaxUnprovedBytes,
		ReadHeaderTimeout:   i.ReadHeaderTimeout.AsDuration(),
		ReadTimeout:         i.ReadTimeout.AsDuration(),
		IdleTimeout:         i.IdleTimeout.AsDuration(),
		DrainDelay:          delay,
		RetryAfter:          i.RetryAfter.AsDuration(),
		UnreadyWhileLogDown: i.UnreadyWhileKafkaAway,
		TrustedProxies:      c.Trusted,
	}
	if t := i.Tls; t != nil {
		o.TLS = &ingest.TLS{CertificateFile: t.CertificateFile, KeyFile: t.KeyFile, MinVersion: tls.VersionTLS12}
		if t.MinVersion == configv1.TlsVersion_TLS_VERSION_1_3 {
			o.TLS.MinVersion = tls.VersionTLS13
		}
	}
	for _, e := range c.Endpoints {
		o.Endpoints = append(o.Endpoints, ingest.Endpoint{
			Name:        e.Name,
			Tenant:      e.Tenant,
			Environment: e.Environment,
			Provider:    e.Vendor,
			Proofs:      e.Proofs,
			MaxBody:     int64(e.MaxBodyBytes),

			EventsPerSecond:      int(i.EndpointEventsPerSecond),
			AllowUnauthenticated: e.AllowUnauthenticated,
		})
	}
	return o
}

// Check finds what is wrong with the limits of ingest and with the vendors' APIs of a
// configuration, without connecting to anything.
func Check(c *config.Config) error {
	return errors.Join(ingestOptions(c).CheckLimits(), hydrate.CheckEndpoints(apis(c)))
}

// Grace is how long a graceful shutdown of the stages may take; a kill before that cuts
// answers off. A process with both stages takes both, one after the other.
type Grace struct{ Ingest, Normalize time.Duration }

// GraceOf reads it out of a configuration.
func GraceOf(c *config.Config) Grace {
	return Grace{Ingest: ingestOptions(c).Grace(), Normalize: c.File.Normalize.ShutdownGrace.AsDuration()}
}

// normalizeOptions leaves what opens and closes to the caller.
func normalizeOptions(c *config.Config) normalize.Options {
	n, d := c.File.Normalize, c.File.Dedupe
	former, _ := c.FormerTopics()
	return normalize.Options{
		Hydrates:           c.Hydrates(),
		ReferenceAsIs:      c.ReferenceAsIs(),
		Slots:              int(n.Slots),
		Batch:              int(n.BatchRecords),
		TTL:                d.Ttl.AsDuration(),
		Wait:               d.ConfirmWait.AsDuration(),
		Pepper:             c.Pepper,
		AnyPepper:          c.File.Dedupe.AcceptOtherPepper,
		Former:             former,
		FailOpenAfter:      d.FailOpenAfter.AsDuration(),
		MaxRecordBytes:     c.MaxRecordBytes(),
		Forms:              c.Forms(),
		TransactionTimeout: n.TransactionTimeout.AsDuration(),
		Grace:              max(n.ShutdownGrace.AsDuration(), time.Nanosecond), // zero would mean the default
	}
}

// hydrateOptions leaves the stage and the wait topic to the caller.
func hydrateOptions(c *config.Config) hydrate.Options {
	h := c.File.Hydrate
	return hydrate.Options{
		Endpoints:   apis(c),
		Concurrency: int(h.Concurrency),
		Rate:        h.Rate,
		Timeout:     h.Timeout.AsDuration(),
		GiveUpAfter: h.GiveUpAfter.AsDuration(),
		MaxResponse: int64(h.MaxResponseBytes),
	}
}

// apis are the endpoints whose vendor's API may be asked.
func apis(c *config.Config) []hydrate.Endpoint {
	var all []hydrate.Endpoint
	for _, e := range c.Endpoints {
		if e.Api == nil {
			continue
		}
		out := hydrate.Endpoint{
			Name: e.Name, Provider: e.Vendor, Environment: e.Environment,
			BaseURL: e.Api.BaseUrl, TokenURL: e.Api.TokenUrl, Internal: e.Api.Internal,
			Credentials: hydrate.Credentials{
				Scheme: e.Vendor.Hydration.Auth.Scheme,
				Key:    e.API.Key,
				User:   e.Api.Username, Password: e.API.Password,
				ClientID: e.Api.ClientId, ClientSecret: e.API.ClientSecret,
			},
		}
		if s := e.Api.Scheme; s != configv1.ApiScheme_API_SCHEME_UNSPECIFIED {
			out.Credentials.Scheme = apiScheme(s)
		}
		all = append(all, out)
	}
	return all
}

func apiScheme(s configv1.ApiScheme) providers.APIScheme {
	switch s {
	case configv1.ApiScheme_API_SCHEME_BEARER:
		return providers.APIBearer
	case configv1.ApiScheme_API_SCHEME_BASIC:
		return providers.APIBasic
	case configv1.ApiScheme_API_SCHEME_CLIENT_CREDENTIALS:
		return providers.APIClientCredentials
	}
	return providers.APIKey
}
