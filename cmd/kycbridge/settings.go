package main

import (
	"crypto/tls"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/cmd/kycbridge/config"
	"github.com/kycbridge/kycbridge/ingest"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// The functions here turn the configuration into the options of the packages
// that do the work, one function for each.

func kafkaOptions(c *config.Config, log *slog.Logger, hooks ...kgo.Hook) sink.Options {
	k := c.File.Kafka
	return sink.Options{
		Brokers:         k.Brokers,
		TopicPrefix:     k.TopicPrefix,
		ClientID:        k.ClientId,
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

func storeOptions(c *config.Config) dedupe.StoreOptions {
	r := c.File.Redis
	return dedupe.StoreOptions{
		Addresses:       []string{r.Address},
		Username:        r.Username,
		Password:        string(c.RedisPassword.Reveal()),
		DB:              int(r.Db),
		TTL:             c.File.Dedupe.Ttl.AsDuration(),
		EvictionChecked: r.EvictionChecked,
	}
}
