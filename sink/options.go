package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/schemas"
)

const (
	// DefaultMaxMessageBytes is the size of a record batch when the
	// configuration names none. Kafka's own default is below a 1 MiB body.
	DefaultMaxMessageBytes = 4 << 20
	// EnvelopeOverhead bounds what a raw envelope adds to a body: kept headers
	// (16 KiB at most, the server's header limit), names, ids, key, record
	// headers and the framing of the batch.
	EnvelopeOverhead = 64 << 10
	// DeadLetterOverhead bounds what a dead letter adds to the envelope it
	// carries.
	DeadLetterOverhead = 64 << 10
)

// Compression names a codec: "none", "gzip", "snappy", "lz4" or "zstd"; empty
// means the default of the place where it is used.
type Compression string

// codec resolves c, with fallback for the empty name.
func (c Compression) codec(fallback kgo.CompressionCodec) (kgo.CompressionCodec, error) {
	switch c {
	case "":
		return fallback, nil
	case "none":
		return kgo.NoCompression(), nil
	case "gzip":
		return kgo.GzipCompression(), nil
	case "snappy":
		return kgo.SnappyCompression(), nil
	case "lz4":
		return kgo.Lz4Compression(), nil
	case "zstd":
		return kgo.ZstdCompression(), nil
	}
	return fallback, fmt.Errorf("compression %q is unknown: use none, gzip, snappy, lz4 or zstd", string(c))
}

// Dial makes one connection, as net.Dialer.DialContext does.
type Dial = func(ctx context.Context, network, address string) (net.Conn, error)

// Options is what every connection to Kafka shares.
type Options struct {
	Brokers         []string    // host:port; an entry may hold several, separated by commas
	TopicPrefix     string      // in front of every topic name; empty means schemas.DefaultPrefix
	JSON            bool        // the topics of events have twins that hold them as JSON
	ClientID        string      // shown in the broker's logs and quotas
	Rack            string      // where this process runs; reads may then go to a replica there
	Dial            Dial        // makes connections, over TLS where that is wanted; nil means plain TCP
	SASL            SASL        // how connections prove who they are; zero means not at all
	MaxMessageBytes int32       // largest record batch, bytes before compression; 0 means DefaultMaxMessageBytes
	Compression     Compression // of everything but raw; default none: every client reads it
	RawCompression  Compression // of the raw topic; default lz4: only kycbridge reads it
	Logger          *slog.Logger
	Hooks           []kgo.Hook // metrics
	Extra           []kgo.Opt  // appended last; tests use it for a virtual network
}

// Validate checks what can be checked without a network.
func (o Options) Validate() error {
	var errs []error
	brokers := o.addresses()
	if len(brokers) == 0 {
		errs = append(errs, errors.New("kafka.brokers is empty: name at least one broker as host:port"))
	}
	for _, b := range brokers {
		if host, port, err := net.SplitHostPort(b); err != nil || host == "" || port == "" {
			errs = append(errs, fmt.Errorf("kafka.brokers: %q is not host:port", b))
		}
	}
	if o.MaxMessageBytes != 0 && o.MaxMessageBytes < 1<<16 {
		errs = append(errs, fmt.Errorf("kafka.max_message_bytes is %d: at least %d is needed", o.MaxMessageBytes, 1<<16))
	}
	if o.MaxMessageBytes > maxDecompressBytes {
		errs = append(errs, fmt.Errorf("kafka.max_message_bytes is %d: at most %d, since no reader unpacks a larger batch", o.MaxMessageBytes, maxDecompressBytes))
	}
	if err := o.SASL.validate(); err != nil {
		errs = append(errs, err)
	}
	for _, c := range []Compression{o.Compression, o.RawCompression} {
		if _, err := c.codec(kgo.NoCompression()); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// CheckSizes checks the size chain of a body: with its envelope and the dead
// letter it may become, it must fit a record batch of maxMessageBytes. Both are
// in bytes. That the topics take such a batch is part of CheckTopics.
func CheckSizes(maxBody int64, maxMessageBytes int32) error {
	need := maxBody + EnvelopeOverhead + DeadLetterOverhead
	if need <= int64(maxMessageBytes) {
		return nil
	}
	return fmt.Errorf("a body of %d bytes needs records of %d bytes (envelope and dead letter included) but max_message_bytes is %d: raise kafka.max_message_bytes to at least %d or lower the body limit",
		maxBody, need, maxMessageBytes, need)
}

// CheckWaiting checks that the largest body, with its envelope, is not more than may wait
// for Kafka: it would be answered 503 for ever. Both are in bytes.
func CheckWaiting(maxBody, maxWaiting int64) error {
	if need := maxBody + EnvelopeOverhead; need > maxWaiting {
		return fmt.Errorf("a body of %d bytes needs %d bytes with its envelope but only %d may wait for Kafka: raise ingest.max_waiting_body_bytes to at least %d or lower the body limit",
			maxBody, need, maxWaiting, need)
	}
	return nil
}

// Topic gives the full name of a topic from its base name (schemas.Raw, …).
func (o Options) Topic(base string) string { return o.prefix() + base }

// Catalogue gives the topics that there must be, in a fixed order, twins last.
func (o Options) Catalogue() []schemas.Topic {
	all := schemas.Topics()
	if o.JSON {
		all = append(all, schemas.JSONTopics()...)
	}
	return all
}

// Scoped gives the name of a consumer group or a transactional id in this
// cluster: with a prefix of its own a second environment on the same cluster
// gets groups and ids of its own. A name that has the prefix is left alone.
func (o Options) Scoped(name string) string {
	prefix := o.prefix()
	if prefix == schemas.DefaultPrefix || strings.HasPrefix(name, prefix) {
		return name
	}
	return prefix + name
}

func (o Options) prefix() string {
	if o.TopicPrefix == "" {
		return schemas.DefaultPrefix
	}
	return o.TopicPrefix
}

func (o Options) maxMessageBytes() int32 {
	if o.MaxMessageBytes == 0 {
		return DefaultMaxMessageBytes
	}
	return o.MaxMessageBytes
}

func (o Options) logger() *slog.Logger {
	if o.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Logger
}

// addresses splits comma-separated entries and drops empty ones.
func (o Options) addresses() []string {
	var out []string
	for _, entry := range o.Brokers {
		for _, b := range strings.Split(entry, ",") {
			if b = strings.TrimSpace(b); b != "" {
				out = append(out, b)
			}
		}
	}
	return out
}
