package config

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// Defaults, as the comments of config.proto promise them; a test compares the
// two.
const (
	defaultClientID        = "kycbridge"
	defaultMaxMessageBytes = 4 << 20

	defaultPartitions           = 12
	defaultRawRetention         = 14 * 24 * time.Hour
	defaultDomainRetention      = 30 * 24 * time.Hour
	defaultDispositionRetention = 400 * 24 * time.Hour
	defaultDeadLetterRetention  = 30 * 24 * time.Hour

	defaultMaxBody           = 1 << 20
	defaultMaxRequests       = 5000
	defaultMaxWaitingBody    = 64 << 20
	defaultEndpointEvents    = 2000
	defaultReadHeaderTimeout = 5 * time.Second
	defaultReadTimeout       = 15 * time.Second
	defaultIdleTimeout       = 120 * time.Second
	defaultDrainDelay        = 5 * time.Second
	defaultRetryAfter        = 5 * time.Second

	defaultSlots              = 1
	defaultBatchRecords       = 500
	defaultSessionTimeout     = 10 * time.Second
	defaultHeartbeat          = 200 * time.Millisecond
	defaultTransactionTimeout = 15 * time.Second
	defaultShutdownGrace      = 5 * time.Second

	defaultHydrateSlots = 2
	defaultConcurrency  = 4
	defaultRate         = 10.0
	defaultAPITimeout   = 10 * time.Second
	defaultGiveUpAfter  = 6 * time.Hour
	defaultMaxResponse  = 1 << 20

	// A mark outlives its raw record by this much.
	dedupeMargin       = 2 * 24 * time.Hour
	defaultConfirmWait = 2 * time.Second

	defaultTenant = "default"
	defaultLeeway = 30 * time.Second
)

// applyDefaults fills in what the file leaves out. It is the one place that
// does, but for defaultBody; everything after it reads values and asks no questions.
func applyDefaults(m *configv1.Config) {
	kafkaDefaults(orNew(&m.Kafka))
	topicDefaults(orNew(&m.Topics))
	ingestDefaults(orNew(&m.Ingest))
	normalizeDefaults(orNew(&m.Normalize))
	hydrateDefaults(orNew(&m.Hydrate))
	orNew(&m.Redis)
	orNew(&m.Admin)
	d := orNew(&m.Dedupe)
	or(&d.Ttl, m.Topics.RawRetention.AsDuration()+dedupeMargin)
	or(&d.ConfirmWait, defaultConfirmWait)
	for _, e := range m.Endpoints {
		orValue(&e.Tenant, defaultTenant)
		orValue(&e.CustomerReference, configv1.CustomerReference_CUSTOMER_REFERENCE_HASHED)
		if e.Jwt != nil {
			or(&e.Jwt.Leeway, defaultLeeway)
		}
	}
}

// defaultBody is what an endpoint takes whose max_body_bytes is not set: as all do, but no more than its vendor may
// have to say.
func defaultBody(e *configv1.Endpoint, i *configv1.Ingest, vendor providers.Provider) {
	most := i.MaxBodyBytes
	if vendor.Limits.Body > 0 {
		most = min(most, vendor.Limits.Body)
	}
	orValue(&e.MaxBodyBytes, most)
}

func kafkaDefaults(k *configv1.Kafka) {
	orValue(&k.TopicPrefix, schemas.DefaultPrefix)
	orValue(&k.ClientId, defaultClientID)
	orValue(&k.Compression, configv1.Compression_COMPRESSION_NONE)
	orValue(&k.RawCompression, configv1.Compression_COMPRESSION_LZ4)
	orValue(&k.MaxMessageBytes, defaultMaxMessageBytes)
}

func topicDefaults(t *configv1.Topics) {
	orValue(&t.Partitions, defaultPartitions)
	orValue(&t.Safety, configv1.Safety_SAFETY_WARN)
	orValue(&t.Encoding, configv1.Encoding_ENCODING_PROTOBUF)
	or(&t.RawRetention, defaultRawRetention)
	or(&t.DomainRetention, defaultDomainRetention)
	or(&t.DispositionRetention, defaultDispositionRetention)
	or(&t.DeadletterRetention, defaultDeadLetterRetention)
}

func ingestDefaults(i *configv1.Ingest) {
	orValue(&i.MaxBodyBytes, defaultMaxBody)
	orValue(&i.MaxRequests, defaultMaxRequests)
	orValue(&i.MaxWaitingBodyBytes, defaultMaxWaitingBody)
	orValue(&i.EndpointEventsPerSecond, defaultEndpointEvents)
	or(&i.ReadHeaderTimeout, defaultReadHeaderTimeout)
	or(&i.ReadTimeout, defaultReadTimeout)
	or(&i.IdleTimeout, defaultIdleTimeout)
	or(&i.DrainDelay, defaultDrainDelay)
	or(&i.RetryAfter, defaultRetryAfter)
	if i.Tls != nil {
		orValue(&i.Tls.MinVersion, configv1.TlsVersion_TLS_VERSION_1_2)
	}
}

func normalizeDefaults(n *configv1.Normalize) {
	orValue(&n.Slots, defaultSlots)
	orValue(&n.BatchRecords, defaultBatchRecords)
	or(&n.SessionTimeout, defaultSessionTimeout)
	or(&n.HeartbeatInterval, defaultHeartbeat)
	or(&n.TransactionTimeout, defaultTransactionTimeout)
	or(&n.ShutdownGrace, defaultShutdownGrace)
}

func hydrateDefaults(h *configv1.Hydrate) {
	orValue(&h.Slots, defaultHydrateSlots)
	orValue(&h.Concurrency, defaultConcurrency)
	orValue(&h.Rate, defaultRate)
	or(&h.Timeout, defaultAPITimeout)
	or(&h.GiveUpAfter, defaultGiveUpAfter)
	orValue(&h.MaxResponseBytes, defaultMaxResponse)
}

// or sets a duration that the file does not have; "0s" is had.
func or(field **durationpb.Duration, fallback time.Duration) {
	if *field == nil {
		*field = durationpb.New(fallback)
	}
}

func orValue[T comparable](field *T, fallback T) {
	var zero T
	if *field == zero {
		*field = fallback
	}
}

func orNew[T any](field **T) *T {
	if *field == nil {
		*field = new(T)
	}
	return *field
}
