package sink

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
)

// Writer writes records outside of any transaction. Recovery of the embedded
// broker uses it; the normaliser never does.
type Writer struct {
	client *kgo.Client
	opts   Options
}

// OpenWriter connects a writer. ctx bounds the start only.
func OpenWriter(ctx context.Context, o Options) (*Writer, error) {
	codec, err := o.Compression.codec(kgo.NoCompression())
	if err != nil {
		return nil, err
	}
	client, err := o.open(ctx, kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(10_000), kgo.MaxBufferedBytes(64<<20),
		kgo.ProducerBatchCompression(codec, kgo.NoCompression()))
	if err != nil {
		return nil, err
	}
	return &Writer{client: client, opts: o}, nil
}

// Write writes out in order and returns once every record is acknowledged by
// all in-sync replicas, with every Offset set. After an error some may be
// written and some not.
func (w *Writer) Write(ctx context.Context, out []record.Outgoing) error {
	records, err := w.opts.records(out)
	if err != nil {
		return err
	}
	if err := w.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("writing %d records: %w", len(records), produceError(err))
	}
	setOffsets(out, records)
	return nil
}

// Close closes the connections.
func (w *Writer) Close() { w.client.Close() }
