package config

import (
	"encoding/base64"
	"log/slog"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/internal/config/clientauth"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// dialLimit bounds connecting to a server and the TLS handshake.
const dialLimit = 5 * time.Second

// recordFraming is what key, headers and batch add to a record's value at most.
const recordFraming = 16 << 10

// MaxRecordBytes is the size limit of one record's value.
func (c *Config) MaxRecordBytes() int { return int(c.File.Kafka.MaxMessageBytes) - recordFraming }

// Hydrates returns a function that reports whether the vendor's API may be asked for an endpoint.
func (c *Config) Hydrates() func(endpoint string) bool {
	return c.having(func(e Endpoint) bool { return e.Api != nil })
}

// ReferenceAsIs returns a function that reports whether an endpoint lets the customer's own reference leave as it came.
func (c *Config) ReferenceAsIs() func(endpoint string) bool {
	return c.having(asIs)
}

// asIs reports whether an endpoint lets the customer's own reference leave as it came.
func asIs(e Endpoint) bool {
	return e.CustomerReference == configv1.CustomerReference_CUSTOMER_REFERENCE_AS_IS
}

// having returns a function that reports whether there is an endpoint of a name that has something.
func (c *Config) having(it func(Endpoint) bool) func(endpoint string) bool {
	on := map[string]bool{}
	for _, e := range c.Endpoints {
		on[e.Name] = it(e)
	}
	return func(endpoint string) bool { return on[endpoint] }
}

// FormerTopics are the raw and the hydrate topics that the deployment had in other clusters.
func (c *Config) FormerTopics() (raw, hydrate []dedupe.Former) {
	for _, f := range c.File.Dedupe.FormerTopics {
		raw = appendFormer(raw, f.RawId, f.SameOffsets)
		hydrate = appendFormer(hydrate, f.HydrateId, f.SameOffsets)
	}
	return raw, hydrate
}

// appendFormer appends a topic of an id as Kafka's tools show it; the rules of the configuration know that it is one.
func appendFormer(all []dedupe.Former, id string, sameOffsets bool) []dedupe.Former {
	if b, err := base64.RawURLEncoding.DecodeString(id); err == nil && len(b) == 16 {
		all = append(all, dedupe.Former{TopicID: [16]byte(b), SameOffsets: sameOffsets})
	}
	return all
}

// KafkaOptions are what every client of Kafka is opened with.
func (c *Config) KafkaOptions(log *slog.Logger) sink.Options {
	k := c.File.Kafka
	return sink.Options{
		Brokers:         k.Brokers,
		TopicPrefix:     k.TopicPrefix,
		JSON:            c.File.Topics.Json,
		ClientID:        k.ClientId,
		Rack:            k.Rack,
		Dial:            dialer(k.Tls),
		SASL:            c.saslOptions(),
		MaxMessageBytes: k.MaxMessageBytes,
		Compression:     compression(k.Compression),
		RawCompression:  compression(k.RawCompression),
		Logger:          log,
	}
}

// compression turns COMPRESSION_LZ4 into "lz4"; unspecified into "".
func compression(c configv1.Compression) sink.Compression {
	if c == configv1.Compression_COMPRESSION_UNSPECIFIED {
		return ""
	}
	return sink.Compression(strings.ToLower(strings.TrimPrefix(c.String(), "COMPRESSION_")))
}

// TopicSettings are what topics are created and checked with.
func (c *Config) TopicSettings() sink.TopicSettings {
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
		MarkLife:             c.File.Dedupe.Ttl.AsDuration(),
		Safety:               safety,
	}
}

// Forms are those in which domain events are written.
func (c *Config) Forms() []contract.Form {
	forms := []contract.Form{contract.Domain(c.Encoder)}
	if c.File.Topics.Json {
		forms = append(forms, contract.Twins())
	}
	return forms
}

// dialer gives nil, for plain TCP, without TLS.
func dialer(t *configv1.ClientTls) clientauth.Dial {
	if !t.GetEnabled() {
		return nil
	}
	files := clientauth.TLS{CAFile: t.CaFile, CertificateFile: t.CertificateFile, KeyFile: t.KeyFile, ServerName: t.ServerName}
	return files.Dialer(dialLimit)
}

func (c *Config) saslOptions() sink.SASL {
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
		o.Mechanism, o.Token = sink.OAuthBearer, c.tokens(s.Oauth)
	}
	return o
}

func (c *Config) tokens(o *configv1.Oauth) clientauth.Tokens {
	if o.TokenFile != "" {
		return clientauth.TokenFile(o.TokenFile)
	}
	return clientauth.Client{
		URL: o.TokenUrl, ID: o.ClientId, Secret: c.KafkaClientSecret.Latest(),
		Scopes: o.Scopes, Audience: o.Audience, CAFile: o.CaFile,
	}.Tokens()
}

// RedisOptions are what the store of claims is opened with.
func (c *Config) RedisOptions() dedupe.StoreOptions {
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
		o.MasterName, o.SentinelUsername, o.SentinelPassword = s.Master, s.Username, c.SentinelPassword
	}
	return o
}

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
