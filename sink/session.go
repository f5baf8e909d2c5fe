package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
)

// fetchWait is how long a broker may hold an answer back for which it has no records. A partition that came, or that
// is released while its neighbours are asked for already, waits for so long until it is asked for as well.
const fetchWait = 100 * time.Millisecond

// SessionOptions describes one worker slot. Zero durations take the defaults.
type SessionOptions struct {
	Group           string // plain name; the session scopes it (Options.Scoped)
	TransactionalID string // stable per slot: a successor with it has the slot's place in the group and frees readers, both at once; scoped as well
	Input           string // base name of the topic that is read
	Gather          bool   // Poll may be called again while a batch is open, which then grows
	PollBytes       int    // bytes of values after which a Poll ends, though more records were asked for; default record.PollBytes

	SessionTimeout     time.Duration // default 10 s: how long partitions stand still when a killed process does not come back
	Heartbeat          time.Duration // default 0.2 s: how long a rebalance may wait for this slot
	TransactionTimeout time.Duration // default 15 s: how long an open transaction may hold readers

	// OnAssigned and OnRevoked report which input partitions came and went (lost
	// ones included). They run on another goroutine, concurrently with Poll and
	// Commit, hold up the group while they run, and must not call the session.
	OnAssigned, OnRevoked func(partitions []int32)
	// OnPlaced reports where partitions that came are read from; each is held (Session.Hold) from when it
	// came. nil: partitions are read from where the group's offsets say, at once.
	OnPlaced func(map[int32]record.Place)
}

func (o SessionOptions) withDefaults() SessionOptions {
	if o.SessionTimeout <= 0 {
		o.SessionTimeout = 10 * time.Second
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = 200 * time.Millisecond
	}
	if o.PollBytes <= 0 {
		o.PollBytes = record.PollBytes
	}
	return o
}

// Session reads the input topic in a group and writes what comes of it in
// transactions that hold the offsets too. Poll, Commit, Rewind and Close must
// not run at the same time; several sessions give parallelism.
type Session struct {
	producer
	txn     *kgo.GroupTransactSession
	session SessionOptions
	input   located
	log     *slog.Logger

	open   bool  // a polled batch is neither committed nor rewound
	queued error // a fetch error that came together with records

	watch   *ownership
	gaps    map[int32]gap // batches that cannot be read, by partition
	filling *filling      // what of them is in the open batch

	stop   context.CancelFunc // ends what runs beside the session
	beside sync.WaitGroup

	stay map[int32]int64 // see StayAt
}

// OpenSession joins the group and takes over the transactional id. It asks for
// the producer id before it returns: that ends a transaction which a killed
// predecessor left open, and frees readers within milliseconds instead of after
// the group's session timeout.
func OpenSession(ctx context.Context, o Options, so SessionOptions) (*Session, error) {
	so = so.withDefaults()
	s := &Session{producer: newProducer(o, so.TransactionalID, so.TransactionTimeout), session: so, log: o.logger()}
	opts, err := s.options()
	if err != nil {
		return nil, err
	}
	if err := o.probe(ctx); err != nil {
		return nil, err
	}
	if s.txn, err = kgo.NewGroupTransactSession(o.client(append(s.consumer(), opts...)...)...); err != nil {
		return nil, fmt.Errorf("options of the Kafka client: %w", err)
	}
	s.client = s.txn.Client()
	beside, stop := context.WithCancel(context.Background())
	s.stop = stop
	if s.input, err = lookup(ctx, s.client, o.Topic(so.Input)); err == nil {
		err = s.takeOver(ctx)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	s.beside.Go(func() { s.whole(beside) })
	return s, nil
}

// consumer is the options of the consumer half of the client.
func (s *Session) consumer() []kgo.Opt {
	watch := newOwnership(s.opts.Topic(s.session.Input), s.session)
	watch.before = s.endOrphans
	s.watch = watch
	return append(s.placed(watch.assigned), []kgo.Opt{
		kgo.ConsumerGroup(s.opts.Scoped(s.session.Group)),
		kgo.InstanceID(s.id), // see member.go
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
		kgo.RebalanceTimeout(s.limit),
		kgo.HeartbeatInterval(s.session.Heartbeat),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchBytes),
		kgo.FetchMaxWait(fetchWait),
		kgo.OnPartitionsRevoked(watch.gone),
		kgo.OnPartitionsLost(watch.gone),
	}...)
}

// TopicID is the id of the input topic at open. Claims are scoped by it.
func (s *Session) TopicID() TopicID { return s.input.id }

// Partitions is how many partitions the input topic had at open.
func (s *Session) Partitions() int { return len(s.input.leaders) }

// Close leaves the group, so that its partitions move at once, and closes. A
// transaction still open is ended by the successor or by its time limit.
func (s *Session) Close() {
	s.stop()
	s.beside.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := s.leave(ctx); err != nil && !errors.Is(err, kgo.ErrClientClosed) {
		s.log.Debug("left the consumer group without its answer", "class", Classify(err))
	}
	s.txn.Close()
}
