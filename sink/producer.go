package sink

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
)

// producer is the writing half of what writes in transactions. How one begins
// and ends is the business of the Session or Transactor around it.
type producer struct {
	client *kgo.Client
	opts   Options
	id     string        // transactional id, scoped
	limit  time.Duration // of one transaction

	broken error // set once the client can only be closed
	reason error // why the last Commit aborted
}

// newProducer takes a plain transactional id. The client is made with its options.
func newProducer(o Options, id string, limit time.Duration) producer {
	if limit <= 0 {
		limit = 15 * time.Second
	}
	return producer{opts: o, id: o.Scoped(id), limit: limit}
}

// options are the client's. Request timeout and overhead together stay below the
// transaction timeout, so that a reply is waited for no longer than the
// transaction can live.
func (p *producer) options() ([]kgo.Opt, error) {
	compress, err := p.opts.Compression.option(kgo.NoCompression())
	return []kgo.Opt{
		kgo.TransactionalID(p.id),
		kgo.TransactionTimeout(p.limit),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.ProduceRequestTimeout(min(5*time.Second, p.limit/3)),
		kgo.RequestTimeoutOverhead(5 * time.Second),
		kgo.MaxBufferedRecords(maxBufferedRecords),
		kgo.MaxBufferedBytes(maxBufferedBytes),
		compress,
	}, err
}

// takeOver takes over the transactional id: it fences a predecessor with the same id and
// aborts the transaction that one left open.
func (p *producer) takeOver(ctx context.Context) error {
	if _, _, err := p.client.ProducerID(ctx); err != nil {
		return fmt.Errorf("transactional id %s: %w", p.id, produceError(err))
	}
	return nil
}

// produce writes the records into the open transaction and waits for the
// outcome of every one. The first result is the first record's failure, after
// which the transaction must be aborted: the library would commit the others. The
// second says that outcomes are missing. It waits no longer than the transaction
// may live.
func (p *producer) produce(ctx context.Context, records []*kgo.Record) (failed, unknown error) {
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	var first firstError
	for _, r := range records {
		// Blocks while the buffer is full, until the broker has taken some.
		p.client.Produce(ctx, r, func(r *kgo.Record, err error) {
			if err != nil {
				first.note(fmt.Errorf("writing to topic %s partition %d: %w", r.Topic, r.Partition, err))
			}
		})
		if first.get() != nil {
			break
		}
	}
	if err := p.client.Flush(ctx); err != nil {
		return nil, fmt.Errorf("no outcome within the transaction's time of %s: %w", p.limit, err)
	}
	return first.get(), nil
}

// AbortReason says why the last Commit returned (false, nil).
func (p *producer) AbortReason() error { return p.reason }

// fail marks the client as broken and makes the error.
func (p *producer) fail(step string, err error) error {
	p.broken = fmt.Errorf("transaction of %s, %s: %w", p.id, step, produceError(err))
	return p.broken
}

// setOffsets says where the records of out were written.
func setOffsets(out []record.Outgoing, records []*kgo.Record) {
	for i, r := range records {
		out[i].Offset = r.Offset
	}
}

// firstError keeps the first error noted; promises come from other goroutines.
type firstError struct {
	mu  sync.Mutex
	err error
}

func (f *firstError) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *firstError) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
