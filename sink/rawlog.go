package sink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

// RawLogOptions bounds the raw log. Zero values take the defaults.
type RawLogOptions struct {
	// DeliveryTimeout fails a record that was not written for so long: the
	// largest acknowledgement budget of any endpoint plus a second. A record in
	// flight cannot be failed by it, so a handler still needs its own timer.
	DeliveryTimeout    time.Duration // default 15 s
	MaxBufferedRecords int           // default 10 000
	MaxBufferedBytes   int64         // default 64 MiB
}

func (o RawLogOptions) withDefaults() RawLogOptions {
	if o.DeliveryTimeout <= 0 {
		o.DeliveryTimeout = 15 * time.Second
	}
	if o.MaxBufferedRecords <= 0 {
		o.MaxBufferedRecords = maxBufferedRecords
	}
	if o.MaxBufferedBytes <= 0 {
		o.MaxBufferedBytes = maxBufferedBytes
	}
	return o
}

// RawLog appends envelopes to the raw topic. It is safe for concurrent use.
type RawLog struct {
	client *kgo.Client
	opts   Options
	health *health
	stop   context.CancelFunc
	watch  sync.WaitGroup

	closing sync.RWMutex // held for reading while a record is handed over
	closed  bool
}

// OpenRawLog connects the producer of the raw topic. ctx bounds the start only.
func OpenRawLog(ctx context.Context, o Options, raw RawLogOptions) (*RawLog, error) {
	raw = raw.withDefaults()
	packs, err := o.RawCompression.raw()
	if err != nil {
		return nil, err
	}
	client, err := o.open(ctx, append(rawProducer(raw), packs)...)
	if err != nil {
		return nil, err
	}
	if err := o.takeID(ctx, client); err != nil {
		client.Close()
		return nil, err
	}
	background, stop := context.WithCancel(context.Background())
	l := &RawLog{client: client, opts: o, health: newHealth(raw.DeliveryTimeout), stop: stop}
	l.watch.Go(func() { l.health.run(background, l.probe) })
	return l, nil
}

// takeID asks for the producer id at once. The library would ask with the first record, and
// where nobody listens by then, ask again without a pause until that record's time is over.
func (o Options) takeID(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	if _, _, err := client.ProducerID(ctx); err != nil {
		return fmt.Errorf("producer id: %w", o.away(err))
	}
	return nil
}

// rawProducer is the producer behind every success code. Idempotence stays on
// and AllowIdempotentProduceCancellation off: with it a cancelled record could
// be written all the same, and the sequence window would be reset.
func rawProducer(raw RawLogOptions) []kgo.Opt {
	return []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		// Batches form by themselves while a request is in flight; lingering
		// only adds its own length to every acknowledgement.
		kgo.ProducerLinger(0),
		kgo.ProduceRequestTimeout(3 * time.Second),
		kgo.RequestTimeoutOverhead(2 * time.Second),
		kgo.RecordDeliveryTimeout(raw.DeliveryTimeout),
		kgo.MaxBufferedRecords(raw.MaxBufferedRecords),
		kgo.MaxBufferedBytes(int(raw.MaxBufferedBytes)),
	}
}

// raw is how the raw log compresses; the empty name means lz4.
func (c Compression) raw() (kgo.Opt, error) {
	if c == "" || c == "lz4" {
		return kgo.WithCompressor(squeeze{newLZ4Batches()}), nil
	}
	return c.option(kgo.NoCompression())
}

// Append hands one envelope, encoded, to the producer and never blocks. done is called
// exactly once, from another goroutine or before Append returns, and must not
// block: nil means the broker and its in-sync replicas have the record; every
// error means "not acknowledged", which may still be written, now or later. The
// sender then retries and the second copy is recognised downstream.
func (l *RawLog) Append(key, envelope []byte, headers []record.Header, done func(error)) {
	out := record.Outgoing{Topic: schemas.Raw, Key: key, Value: envelope, Partition: record.ByKey, Headers: headers}
	raw := &kgo.Record{}
	if err := l.opts.fill(raw, l.opts.Topic(schemas.Raw), &out, make([]kgo.RecordHeader, len(headers))); err != nil {
		done(err)
		return
	}
	l.closing.RLock()
	defer l.closing.RUnlock()
	if l.closed {
		done(ErrClosed)
		return
	}
	l.health.sent()
	// A background context on purpose: one record's context decides for its
	// whole batch, so a client that hangs up would fail its neighbours.
	l.client.TryProduce(context.Background(), raw, func(_ *kgo.Record, err error) {
		err = produceError(err)
		l.health.settled(err)
		done(err)
	})
}

// produceError wraps the outcomes of a produce that callers tell apart.
func produceError(err error) error {
	switch Classify(err) {
	case ClassNone:
		return nil
	case ClassTooLarge:
		return errors.Join(ErrTooLarge, err)
	case ClassBufferFull:
		return ErrBufferFull
	case ClassClosed:
		return ErrClosed
	case ClassFenced:
		if errors.Is(err, kerr.FencedInstanceID) {
			return fmt.Errorf("%w: %w", ErrTwin, err)
		}
		return fmt.Errorf("%w: %w", ErrFenced, err)
	case ClassClock: // Kafka's own word does not say whose
		return fmt.Errorf("%w: %s", err, Advice(err))
	}
	return err
}

// Down is why Kafka cannot take deliveries, nil if it can as far as is known: the last
// outcome, or that nothing was acknowledged for too long.
func (l *RawLog) Down() error { return l.health.down() }

// Close flushes, bounded by ctx, and only then closes: closing first would turn
// what is in flight into "maybe written". The error says how many records were
// left unacknowledged.
func (l *RawLog) Close(ctx context.Context) error {
	l.closing.Lock()
	again := l.closed
	l.closed = true
	l.closing.Unlock()
	if again {
		return nil
	}
	err := l.client.Flush(ctx)
	left := l.client.BufferedProduceRecords()
	l.stop()
	l.client.Close()
	l.watch.Wait()
	if err != nil {
		return fmt.Errorf("%d records were not acknowledged before the end of the flush: %w", left, err)
	}
	return nil
}

// probe asks whether every partition of the raw topic has a leader. It answers
// for the log while no delivery comes: a process taken out of rotation for a
// failed produce would otherwise never learn that Kafka is back.
func (l *RawLog) probe(ctx context.Context) error {
	_, err := lookup(ctx, l.client, l.opts.Topic(schemas.Raw))
	return err
}
