package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/schemas"
)

// Transactor writes in transactions without reading anything: a replay does. Its
// methods must not run at the same time.
type Transactor struct {
	client *kgo.Client
	opts   Options
	id     string
	limit  time.Duration
	reason error
	broken error
}

// OpenTransactor takes a transactional id over: what a predecessor with the same
// id left open is aborted, and it can write nothing any more. limit is the
// transaction's, 15 s when 0; the id is scoped (Options.Scoped).
func OpenTransactor(ctx context.Context, o Options, id string, limit time.Duration) (*Transactor, error) {
	so := SessionOptions{TransactionalID: id, TransactionTimeout: limit}.withDefaults()
	codec, err := o.Compression.codec(kgo.NoCompression())
	if err != nil {
		return nil, err
	}
	if err := o.probe(ctx); err != nil {
		return nil, err
	}
	s := &Session{opts: o, session: so}
	client, err := kgo.NewClient(o.client(s.producer(codec)...)...)
	if err != nil {
		return nil, fmt.Errorf("options of the Kafka client: %w", err)
	}
	t := &Transactor{client: client, opts: o, id: s.transactionalID(), limit: so.TransactionTimeout}
	if _, _, err := client.ProducerID(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("transactional id %s: %w", t.id, produceError(err))
	}
	return t, nil
}

// Commit writes out in one transaction. (true, nil): all of it is committed, and
// every Offset of out is set. (false, nil): nothing is; AbortReason says why. With
// an error the outcome is unknown or the id was taken over (ErrFenced); the
// Transactor can only be closed.
func (t *Transactor) Commit(ctx context.Context, out []*schemas.Outgoing) (bool, error) {
	if t.broken != nil {
		return false, t.broken
	}
	records, err := t.opts.encode(out)
	if err != nil {
		return false, t.fail("encode", err)
	}
	if err := t.client.BeginTransaction(); err != nil {
		return false, t.fail("begin", err)
	}
	flushCtx, cancel := context.WithTimeout(ctx, t.limit)
	defer cancel()
	var first firstError
	for _, r := range records {
		t.client.Produce(flushCtx, r, func(_ *kgo.Record, err error) { first.note(err) })
		if first.get() != nil {
			break
		}
	}
	if err := t.client.Flush(flushCtx); err != nil {
		return false, t.fail("flush", fmt.Errorf("no outcome within the transaction's time of %s: %w", t.limit, err))
	}
	t.reason = first.get()
	if Classify(t.reason) == ClassFenced {
		return false, t.fail("produce", t.reason)
	}
	// One failed record aborts all: the library would commit the others.
	if err := t.client.EndTransaction(ctx, kgo.TransactionEndTry(t.reason == nil)); err != nil {
		return false, t.fail("end", err)
	}
	if t.reason != nil {
		return false, nil
	}
	for i, r := range records {
		out[i].Offset = r.Offset
	}
	return true, nil
}

// AbortReason says why the last Commit returned (false, nil).
func (t *Transactor) AbortReason() error { return t.reason }

// Close closes the connections. A transaction still open is ended by the
// successor or by its time limit.
func (t *Transactor) Close() { t.client.Close() }

func (t *Transactor) fail(step string, err error) error {
	t.broken = fmt.Errorf("transaction of %s, %s: %w", t.id, step, produceError(err))
	return t.broken
}
