package sink

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
)

// Transactor writes in transactions without reading anything: a replay does. Its
// methods must not run at the same time.
type Transactor struct {
	producer
	known map[string]bool // topics written to before
}

// OpenTransactor takes over a transactional id: it fences a predecessor with the same id
// and aborts the transaction that one left open. limit is the
// transaction's, 15 s when 0; the id is scoped (Options.Scoped).
func OpenTransactor(ctx context.Context, o Options, id string, limit time.Duration) (*Transactor, error) {
	t := &Transactor{producer: newProducer(o, id, limit), known: map[string]bool{}}
	opts, err := t.options()
	if err != nil {
		return nil, err
	}
	if t.client, err = o.open(ctx, opts...); err != nil {
		return nil, err
	}
	if err := t.takeOver(ctx); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// Commit writes out in one transaction. (true, nil): all of it is committed, and
// every Offset of out is set. (false, nil): nothing is; AbortReason says why. With
// an error the outcome is unknown or the id was taken over (ErrFenced); the
// Transactor can only be closed.
func (t *Transactor) Commit(ctx context.Context, out []record.Outgoing) (bool, error) {
	return t.CommitIf(ctx, out, func(context.Context) error { return nil })
}

// CommitIf is Commit with a last look: ok is asked when Kafka has all records and no
// reader sees them yet. Its error aborts the transaction, and is the AbortReason.
func (t *Transactor) CommitIf(ctx context.Context, out []record.Outgoing, ok func(context.Context) error) (bool, error) {
	if t.broken != nil {
		return false, t.broken
	}
	records, err := t.opts.records(out)
	if err != nil {
		return false, t.fail("encode", err)
	}
	if err := t.client.BeginTransaction(); err != nil {
		return false, t.fail("begin", err)
	}
	if t.reason, err = t.produce(ctx, records); err != nil {
		return false, t.fail("flush", err)
	}
	if Classify(t.reason) == ClassFenced {
		return false, t.fail("produce", t.reason)
	}
	t.settle(records)
	if t.reason == nil {
		t.reason = ok(ctx)
	}
	if err := t.client.EndTransaction(ctx, kgo.TransactionEndTry(t.reason == nil)); err != nil {
		return false, t.fail("end", err)
	}
	if t.reason != nil {
		return false, nil
	}
	setOffsets(out, records)
	return true, nil
}

// settle waits until the library knows the partitions of topics that this client writes to for the first
// time. It sends their first records before it has noted the partitions, and a transaction that ends in
// between looks empty to it: it is aborted, and said to be committed. A Session's transactions have
// offsets, and so are never empty. Nothing is purged: no topic has such a name.
func (t *Transactor) settle(records []*kgo.Record) {
	fresh := false
	for _, r := range records {
		fresh = fresh || !t.known[r.Topic]
		t.known[r.Topic] = true
	}
	if fresh {
		t.client.PurgeTopicsFromProducing("/") // between two updates of what it knows
	}
}

// Close closes the connections. A transaction still open is ended by the
// successor or by its time limit.
func (t *Transactor) Close() { t.client.Close() }
