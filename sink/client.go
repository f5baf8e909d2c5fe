package sink

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// pingLimit bounds the question "is Kafka there" at start.
	pingLimit = 5 * time.Second
	// maxBackoff bounds the wait between two attempts. The library's default of
	// 5 s would add that much to the end of every outage.
	maxBackoff = time.Second
	// metadataAge is how often a client may ask for metadata. A batch that a broker refuses for a
	// moment, as it does while it writes transaction markers, waits for the next metadata, and so does
	// every event behind it: with the library's default, 5 s.
	metadataAge = 100 * time.Millisecond
	// metadataMaxAge is after how long a client notices that a topic has more partitions; the library's default,
	// 5 minutes, would leave what is in them unread.
	metadataMaxAge = 10 * time.Second
	// maxDecompressBytes bounds what one fetched batch may unpack to.
	maxDecompressBytes = 64 << 20
	// fetchBytes bounds one fetch answer, as it comes, and with it what a reader with a backlog holds: a few of
	// the normaliser's batches. It unpacks to squeezeMost times as much at most. A larger batch comes alone.
	fetchBytes = 1 << 20
	// maxBufferedRecords and maxBufferedBytes bound what a producer holds that Kafka has not acknowledged: the raw
	// log refuses what is more, a transaction waits.
	maxBufferedRecords = 10_000
	maxBufferedBytes   = 64 << 20
)

// open connects: it asks once whether Kafka is there, so that a wrong address,
// TLS or SASL setting is one clear error at start, and only then makes the
// client that retries through everything. AlwaysRetryEOF belongs to the second
// one alone: a broker that hangs up on the first byte looks like a wrong TLS or
// SASL setting before it has ever answered, and like a restart afterwards.
func (o Options) open(ctx context.Context, opts ...kgo.Opt) (*kgo.Client, error) {
	if err := o.probe(ctx); err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(o.client(opts...)...)
	if err != nil {
		return nil, fmt.Errorf("options of the Kafka client: %w", err)
	}
	return client, nil
}

// probe asks any broker for metadata, once.
func (o Options) probe(ctx context.Context) error {
	if err := o.Validate(); err != nil {
		return err
	}
	client, err := kgo.NewClient(append(o.base(), o.Extra...)...)
	if err != nil {
		return fmt.Errorf("options of the Kafka client: %w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		return o.away(err)
	}
	return nil
}

// away is the error about a Kafka that does not answer at start.
func (o Options) away(err error) error {
	kind, advice := ErrUnavailable, Advice(err)
	switch Classify(err) {
	case ClassHandshake, ClassAuthentication, ClassAuthorization, ClassToken:
		kind = ErrRefused
	case ClassTimeout, ClassOther:
		advice = unavailableAdvice
	}
	return fmt.Errorf("%w at %s: %w: %s", kind, strings.Join(o.addresses(), ", "), err, advice)
}

// client gives the options of a client for work, as opposed to the first probe.
func (o Options) client(opts ...kgo.Opt) []kgo.Opt {
	all := append(o.base(), kgo.AlwaysRetryEOF(), kgo.WithHooks(o.Hooks...))
	all = append(all, opts...)
	return append(all, o.Extra...)
}

// base gives the options that even the first probe needs.
func (o Options) base() []kgo.Opt {
	id := o.ClientID
	if id == "" {
		id = "kycbridge"
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(o.addresses()...),
		kgo.ClientID(id),
		kgo.SoftwareNameAndVersion("kycbridge", "1"),
		kgo.WithLogger(newKafkaLog(o.logger())),
		kgo.RetryBackoffFn(backoff),
		kgo.MetadataMinAge(metadataAge),
		kgo.MetadataMaxAge(metadataMaxAge),
		kgo.ProducerBatchMaxBytes(o.maxMessageBytes()),
		kgo.RecordPartitioner(partitioner{}),
		kgo.MaxDecompressBatchBytes(maxDecompressBytes),
		kgo.DialTimeout(pingLimit),
	}
	if o.Rack != "" {
		opts = append(opts, kgo.Rack(o.Rack))
	}
	if o.Dial != nil {
		opts = append(opts, kgo.Dialer(o.Dial))
	}
	return append(opts, o.SASL.options()...)
}

// backoff doubles from 50 ms to maxBackoff.
func backoff(tries int) time.Duration {
	if tries > 5 {
		return maxBackoff
	}
	return min(maxBackoff, 50*time.Millisecond<<max(tries-1, 0))
}
