package main

import (
	"crypto/tls"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/ingest"
	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/config/clientauth"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/providers"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// dialLimit bounds connecting to a server and the TLS handshake.
const dialLimit = 5 * time.Second

// The functions here turn the configuration into the options of the packages
// that do the work, one function for each.

func kafkaOptions(c *config.Config, log *slog.Logger, hooks ...kgo.Hook) sink.Options {
	k := c.File.Kafka
	return sink.Options{
		Brokers:         k.Brokers,
		TopicPrefix:     k.TopicPrefix,
		ClientID:        k.ClientId,
		Rack:            k.Rack,
		Dial:            dialer(k.Tls),
		SASL:            saslOptions(c),
		MaxMessageBytes: k.MaxMessageBytes,
		Compression:     compression(k.Compression),
		RawCompression:  compression(k.RawCompression),
		Logger:          log,
		Hooks:           hooks,
	}
}

// compression turns COMPRESSION_LZ4 into "lz4"; unspecified into "".
func compression(c configv1.Compression) sink.Compression {
	if c == configv1.Compression_COMPRESSION_UNSPECIFIED {
		return ""
	}
	return sink.Compression(strings.ToLower(strings.TrimPrefix(c.String(), "COMPRESSION_")))
}

func topicSettings(c *config.Config) sink.TopicSettings {
	t := c.File.Topics
	safety := sink.Warn
	if t.Safety == configv1.Safety_SAFETY_REFUSE {
		safety = sink.Refuse
	}
	return sink.TopicSettings{
		Partitions:           t.Partitions,
		Replication:          int16(t.Replication),
		RawRetention:         t.RawRetention.AsDuration(),
		DomainRetention:      t.DomainRetention.AsDuration(),
		DispositionRetention: t.DispositionRetention.AsDuration(),
		DeadLetterRetention:  t.DeadletterRetention.AsDuration(),
		Safety:               safety,
	}
}

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
		ReadHeaderTimeout:   i.ReadHeaderTimeout.AsDuration(),
		ReadTimeout:         i.ReadTimeout.AsDuration(),
		IdleTimeout:         i.IdleTimeout.AsDuration(),
		DrainDelay:          delay,
		RetryAfter:          i.RetryAfter.AsDuration(),
		UnreadyWhileLogAway: i.UnreadyWhileKafkaAway,
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

			AllowUnauthenticated: e.AllowUnauthenticated,
		})
	}
	return o
}

// recordFraming is what key, headers and batch add to a record's value at most.
const recordFraming = 16 << 10

// normalizeOptions leaves what opens and closes to the caller.
func normalizeOptions(c *config.Config) normalize.Options {
	n, d := c.File.Normalize, c.File.Dedupe
	return normalize.Options{
		Hydrates:           hydrates(c),
		Slots:              int(n.Slots),
		Batch:              int(n.BatchRecords),
		TTL:                d.Ttl.AsDuration(),
		Wait:               d.ConfirmWait.AsDuration(),
		Pepper:             c.Pepper.Reveal(),
		FailOpenAfter:      d.FailOpenAfter.AsDuration(),
		MaxRecordBytes:     int(c.File.Kafka.MaxMessageBytes) - recordFraming,
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
				Key:    string(e.API.Key.Reveal()),
				User:   e.Api.Username, Password: string(e.API.Password.Reveal()),
				ClientID: e.Api.ClientId, ClientSecret: string(e.API.ClientSecret.Reveal()),
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

// hydrates says of which endpoints the vendor's API may be asked.
func hydrates(c *config.Config) func(endpoint string) bool {
	on := map[string]bool{}
	for _, e := range c.Endpoints {
		on[e.Name] = e.Api != nil
	}
	return func(endpoint string) bool { return on[endpoint] }
}

// dialer gives nil, for plain TCP, without TLS.
func dialer(t *configv1.ClientTls) clientauth.Dial {
	if !t.GetEnabled() {
		return nil
	}
	files := clientauth.TLS{CAFile: t.CaFile, CertificateFile: t.CertificateFile, KeyFile: t.KeyFile, ServerName: t.ServerName}
	return files.Dialer(dialLimit)
}

func saslOptions(c *config.Config) sink.SASL {
	s := c.File.Kafka.Sasl
	if s == nil {
		return sink.SASL{}
	}
	o := sink.SASL{Username: s.Username, Password: c.KafkaPassword.Latest()}
	switch s.Mechanism {
	case configv1.SaslMechanism_SASL_MECHANISM_PLAIN:
		o.Mechanism = sink.Plain
	case configv1.SaslMechanism_SASL_MECHANISM_SCRAM_SHA_256:
		o.Mechanism = sink.ScramSHA256
	case configv1.SaslMechanism_SASL_MECHANISM_SCRAM_SHA_512:
		o.Mechanism = sink.ScramSHA512
	case configv1.SaslMechanism_SASL_MECHANISM_OAUTHBEARER:
		o.Mechanism, o.Token = sink.OAuthBearer, tokens(s.Oauth, c)
	}
	return o
}

func tokens(o *configv1.Oauth, c *config.Config) clientauth.Tokens {
	if o.TokenFile != "" {
		return clientauth.TokenFile(o.TokenFile)
	}
	return clientauth.Client{
		URL: o.TokenUrl, ID: o.ClientId, Secret: string(c.KafkaClientSecret.Reveal()),
		Scopes: o.Scopes, Audience: o.Audience, CAFile: o.CaFile,
	}.Tokens()
}

func storeOptions(c *config.Config) dedupe.StoreOptions {
	r := c.File.Redis
	o := dedupe.StoreOptions{
		Addresses:       redisAddresses(r),
		Username:        r.Username,
		Password:        c.RedisPassword.Latest(),
		DB:              int(r.Db),
		Dialer:          dialer(r.Tls),
		Cluster:         r.Cluster != nil,
		TTL:             c.File.Dedupe.Ttl.AsDuration(),
		EvictionChecked: r.EvictionChecked,
	}
	if s := r.Sentinel; s != nil {
		o.MasterName, o.SentinelUsername, o.SentinelPassword = s.Master, s.Username, string(c.SentinelPassword.Reveal())
	}
	return o
}

// redisPlace says where Redis is, for messages.
func redisPlace(c *config.Config) string { return strings.Join(redisAddresses(c.File.Redis), ", ") }

// redisAddresses are those of the server, of its Sentinels, or of the nodes of a Cluster.
func redisAddresses(r *configv1.Redis) []string {
	switch {
	case r.Sentinel != nil:
		return r.Sentinel.Addresses
	case r.Cluster != nil:
		return r.Cluster.Addresses
	}
	return []string{r.Address}
}
