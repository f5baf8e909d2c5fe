package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// SessionOptions describes one worker slot. Zero durations take the defaults.
type SessionOptions struct {
	Group           string // plain name; the session scopes it (Options.Scoped)
	TransactionalID string // stable per slot: a successor with it frees readers at once; scoped as well
	Input           string // base name of the topic that is read
	Gather          bool   // Poll may be called again while a batch is open, which then grows

	SessionTimeout     time.Duration // default 10 s: how long partitions stand still after a kill
	Heartbeat          time.Duration // default 2 s
	TransactionTimeout time.Duration // default 15 s: how long an open transaction may hold readers

	// OnAssigned and OnRevoked tell which input partitions came and went (lost
	// ones included). They run on another goroutine, concurrently with Poll and
	// Commit, hold up the group while they run, and must not call the session.
	OnAssigned, OnRevoked func(partitions []int32)
}

func (o SessionOptions) withDefaults() SessionOptions {
	if o.SessionTimeout <= 0 {
		o.SessionTimeout = 10 * time.Second
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = 2 * time.Second
	}
	if o.TransactionTimeout <= 0 {
		o.TransactionTimeout = 15 * time.Second
	}
	return o
}

// Session reads the input topic in a group and writes what comes of it in
// transactions that hold the offsets too. Poll, Commit, Rewind and Close must
// not run at the same time; several sessions give parallelism.
type Session struct {
	txn     *kgo.GroupTransactSession
	opts    Options
	session SessionOptions
	input   located
	log     *slog.Logger

	open   bool  // a polled batch is neither committed nor rewound
	broken error // set once the session can only be closed
	reason error // why the last Commit aborted
	queued error // a fetch error that came together with records
}

// OpenSession joins the group and takes over the transactional id. It asks for
// the producer id before it returns: that ends a transaction which a killed
// predecessor left open, and frees readers within milliseconds instead of after
// the group's session timeout.
func OpenSession(ctx context.Context, o Options, so SessionOptions) (*Session, error) {
	so = so.withDefaults()
	codec, err := o.Compression.codec(kgo.NoCompression())
	if err != nil {
		return nil, err
	}
	if err := o.probe(ctx); err != nil {
		return nil, err
	}
	s := &Session{opts: o, session: so, log: o.logger()}
	opts := append(s.consumer(), s.producer(codec)...)
	if s.txn, err = kgo.NewGroupTransactSession(o.client(opts...)...); err != nil {
		return nil, fmt.Errorf("options of the Kafka client: %w", err)
	}
	if err := s.takeOver(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// takeOver looks the input up and takes the transactional id.
func (s *Session) takeOver(ctx context.Context) (err error) {
	client := s.txn.Client()
	if s.input, err = lookup(ctx, client, s.opts.Topic(s.session.Input)); err != nil {
		return err
	}
	if _, _, err = client.ProducerID(ctx); err != nil {
		return fmt.Errorf("transactional id %s: %w", s.transactionalID(), produceError(err))
	}
	return nil
}

// consumer gives the reading half of the client.
func (s *Session) consumer() []kgo.Opt {
	watch := newOwnership(s.opts.Topic(s.session.Input), s.session)
	return []kgo.Opt{
		kgo.ConsumerGroup(s.opts.Scoped(s.session.Group)),
		kgo.ConsumeTopics(s.opts.Topic(s.session.Input)),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.Balancers(watched{kgo.CooperativeStickyBalancer(), watch}),
		// A new group reads the log from its start. Where the broker lost data
		// and cannot say from which offset on, the log is read from its start
		// too: records already disposed of are recognised by their done marks,
		// so a rewind costs time, while skipping would cost events.
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(s.session.SessionTimeout),
		// A member is asked to rejoin at most in the middle of a transaction;
		// waiting longer than that only waits for members that are gone.
		kgo.RebalanceTimeout(s.session.TransactionTimeout),
		kgo.HeartbeatInterval(s.session.Heartbeat),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.OnPartitionsAssigned(watch.assigned),
		kgo.OnPartitionsRevoked(watch.gone),
		kgo.OnPartitionsLost(watch.gone),
	}
}

// producer gives the writing half. Request timeout and overhead together stay
// below the transaction timeout, so that a reply is waited for no longer than
// the transaction can live.
func (s *Session) producer(codec kgo.CompressionCodec) []kgo.Opt {
	return []kgo.Opt{
		kgo.TransactionalID(s.transactionalID()),
		kgo.TransactionTimeout(s.session.TransactionTimeout),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.ProduceRequestTimeout(min(5*time.Second, s.session.TransactionTimeout/3)),
		kgo.RequestTimeoutOverhead(5 * time.Second),
		kgo.MaxBufferedRecords(10_000),
		kgo.MaxBufferedBytes(64 << 20),
		kgo.ProducerBatchCompression(codec, kgo.NoCompression()),
	}
}

func (s *Session) transactionalID() string { return s.opts.Scoped(s.session.TransactionalID) }

// TopicID is the id of the input topic at open. Claims are scoped by it.
func (s *Session) TopicID() TopicID { return s.input.id }

// Partitions is how many partitions the input topic had at open.
func (s *Session) Partitions() int { return len(s.input.leaders) }

// Close leaves the group, so that its partitions move at once, and closes. A
// transaction still open is ended by the successor or by its time limit.
func (s *Session) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := s.txn.Client().LeaveGroupContext(ctx); err != nil && !errors.Is(err, kgo.ErrClientClosed) {
		s.log.Debug("left the group without its answer", "class", Classify(err))
	}
	s.txn.Close()
}
