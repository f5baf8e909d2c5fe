package sink

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
)

// writer writes records outside of any transaction.
type writer struct {
	client *kgo.Client
	opts   Options
}

func newWriter(ctx context.Context, o Options) (*writer, error) {
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
	return &writer{client: client, opts: o}, nil
}

// Write writes out in order, and sets every Offset.
func (w *writer) Write(ctx context.Context, out []record.Outgoing) error {
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
