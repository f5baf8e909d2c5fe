// Package normalize turns raw deliveries into domain events, each exactly once for readers at
// read_committed: it reads the raw topic, interprets every record, lets package dedupe decide which
// copy counts, and writes events, dead letters, dispositions and offsets in one transaction.
//
// Its worker is that of every stage between two topics: what a stage reads and how it understands it is
// a Source, the raw topic's unless another one is given (package hydrate does).
//
// It does not judge who sent a delivery (package ingest did), knows no vendor (package providers
// does), asks no vendor's API, and opens no connection of its own: session, history and claims are
// handed in.
package normalize

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// DefaultGroup is the consumer group of the normaliser.
const DefaultGroup = "kycbridge-normalize"

// session is one worker slot's transactional reader and writer. Its methods are never called at the
// same time.
type session interface {
	// Poll returns up to max records, those of a partition in offset order; none when ctx ends. The
	// batch must then be given to Commit or to Rewind.
	Poll(ctx context.Context, max int) ([]*kgo.Record, error)
	// Commit writes out and the batch's offsets in one transaction. (false, nil): aborted, the batch
	// will be polled again. An error: the outcome is unknown, the session must be closed.
	Commit(ctx context.Context, out []record.Outgoing) (bool, error)
	// Rewind gives the batch back: it will be polled again.
	Rewind(ctx context.Context) error
	// Hold has Poll give no records of these partitions until they are released. A partition that comes is
	// held.
	Hold(partitions []int32)
	Release(partitions []int32)
	// Seek has a partition be read from an offset; no batch is open. It reports whether the partition was
	// there to be moved.
	Seek(partition int32, offset int64) bool
}

// stayer is a session whose group's offsets may stay behind what was polled; see Process.Offsets.
type stayer interface {
	// StayAt says where the next Commit leaves the group's offsets.
	StayAt(at map[int32]int64)
}

// claims is the store of claims; *dedupe.Store is one. Safe for concurrent use.
type claims interface {
	Exchange(ctx context.Context, r dedupe.Round) (dedupe.Reply, error)
	TakeOver(ctx context.Context, expected, next []dedupe.Mark) ([]*dedupe.Claim, error)
	Peek(ctx context.Context, keys []dedupe.Key) ([]*dedupe.Claim, error)
}

// health reports whether the store of claims is there and fit; *dedupe.Store does.
type health interface {
	Check(ctx context.Context) error
}

// kept is what a watch over the store of claims has found; *dedupe.Watch is one. Safe for concurrent use, and
// answered at once.
type kept interface {
	// Down is why the store cannot be used.
	Down() error
	// Unfit is why nothing may be claimed although it answers: it does not keep what it is given.
	Unfit() error
}

// Slot is an open session with what the worker must know about its topics.
type Slot struct {
	Session       session
	Topic         string   // that is read; its full name
	TopicID       [16]byte // of the topic that is read; the raw topic's when zero
	RawTopicID    [16]byte
	DispositionID [16]byte
	Close         func() // leaves the group and closes the session
	// Refused is why the last Commit was aborted, nil where it was only a rebalance.
	Refused func() error
}

// name is that of the topic that is read.
func (s Slot) name() string { return cmp.Or(s.Topic, "raw") }

// Sessions opens sessions. Safe for concurrent use.
type Sessions interface {
	// Open opens the session of a slot under the given transactional id.
	Open(ctx context.Context, transactionalID string, w Watch) (Slot, error)
	// Judge classes the errors of Open and of sessions.
	Judge(err error) Trouble
}

// Log is what a stage reads of Kafka outside of its sessions. Safe for concurrent use.
type Log interface {
	// History reads committed dispositions of one partition; see dedupe.History.
	History(ctx context.Context, partition int32, from record.ScanFrom, fn func(offset int64, value []byte) error) (int64, error)
	// Bounds are those of a partition; see dedupe.LedgerOptions.
	Bounds(ctx context.Context, partition int32) (dedupe.Bounds, error)
	// Offsets are how far the topic goes that the stage reads, and how far the stage has come.
	Offsets(ctx context.Context) (Offsets, error)
}

// Offsets are those of the partitions of the topic that a stage reads.
type Offsets struct {
	Starts    map[int32]int64 // the first that is still held, to notice what retention removed unread; nil: it is not noticed
	Committed map[int32]int64 // the group's
	Ends      map[int32]int64
	Held      []HeldPartition // of the topics that transactions write to
	// Oldest asks when the first record that is still held arrived; zero where none is. nil: it is not asked.
	Oldest func(ctx context.Context, partition int32) (time.Time, error)
}

// Watch is what an open slot calls when its partitions change, from any goroutine.
type Watch struct {
	Assigned, Revoked func(partitions []int32)
	// Placed tells of partitions that came where they are read from. None flows before.
	Placed func(map[int32]record.Place)
}

// Trouble is what an error of a session means.
type Trouble uint8

const (
	// Passing: worth a log line; the session goes on.
	Passing Trouble = iota
	// Reopen: close the session and open a new one with the same transactional id.
	Reopen
	// Twin: another process, which lives, took our place under our instance number.
	Twin
	// Stop: a new session would fail the same way.
	Stop
)

// Options configures a Normalizer. Fields without a default are required.
type Options struct {
	Group    string // plain name; DefaultGroup when empty
	ID       string // in front of the transactional ids; Group when empty
	Instance int    // of this process; part of the transactional ids, so no two may share one
	Slots    int    // sessions working side by side; 1 when 0
	Batch    int    // most records in one transaction; 500 when 0
	Bounds   Bounds // of what else one transaction holds

	// Stage is in whose name claims are made; NORMALIZE when unset.
	Stage kycv1.Stage
	// Source makes what a slot reads; nil: raw records, interpreted.
	Source func(slot int) Source
	// Metrics is in front of the names of metrics; "kycbridge_normalize" when empty.
	Metrics string

	Sessions Sessions
	Log      Log

	// Claims may be nil, and with it Log, only for a Source that never decides: what it gives is forwarded
	// or skipped.
	Claims   claims
	Attempts attempts      // finds poison pills; nil: off
	Health   health        // of the store of claims; nil: it is there and fit
	Kept     kept          // what a watch over it has found; nil: nobody watches
	TTL      time.Duration // of claims; also the age from which an event is stale
	Wait     time.Duration // for owners in other partitions; dedupe's default when 0
	Pepper   secret.Value
	// AnyPepper accepts marks of another pepper; see dedupe.LedgerOptions.
	AnyPepper bool
	Former    []dedupe.Former // topics that the stage read before
	// Lacks is why a partition cannot be processed now: a topic that its records are written to does not have it.
	// Asked before each batch, so it answers at once; nil: every partition can be.
	Lacks func(partition int32) error
	// FailOpenAfter: after the store was down this long, publish without it, flagged "unverified".
	// 0: never.
	FailOpenAfter time.Duration
	// Rule replaces the decision table; nil in production. See dedupe.LedgerOptions.
	Rule func(own dedupe.Claim, found *dedupe.Claim) dedupe.Step

	// Hydrates: see InterpreterOptions.
	Hydrates           func(endpoint string) bool
	ReferenceAsIs      func(endpoint string) bool // see InterpreterOptions
	Providers          []providers.Provider
	Validator          contract.Rules
	Forms              []contract.Form // that events are written in; none: plain protobuf
	MaxRecordBytes     int             // size limit of one record; 0: none
	TransactionTimeout time.Duration   // the broker's limit for ours; 15 s when 0
	Grace              time.Duration   // for the batch in hand when ctx ends; 5 s when 0

	// Now is the clock of dispositions and of marks' lives; time.Now when nil. Only a simulation has another.
	Now func() time.Time

	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil: metrics are kept but not exposed
}

func (o Options) withDefaults() Options {
	if o.Group == "" {
		o.Group = DefaultGroup
	}
	o.ID = cmp.Or(o.ID, o.Group)
	o.Metrics = cmp.Or(o.Metrics, "kycbridge_normalize")
	o.Slots = max(o.Slots, 1)
	if o.Batch <= 0 {
		o.Batch = 500
	}
	o.Bounds = o.Bounds.WithDefaults()
	if o.TransactionTimeout <= 0 {
		o.TransactionTimeout = 15 * time.Second
	}
	if o.Grace <= 0 {
		o.Grace = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Sessions == nil, o.Source == nil && (o.Validator == nil || o.Claims == nil):
		return errors.New("normalize: Sessions, Log, Claims and Validator are required")
	case o.Claims != nil && o.Log == nil:
		return errors.New("normalize: Log is required where Claims are")
	case o.Claims != nil && o.TTL <= 0:
		return errors.New("normalize: TTL is required; expected the raw topic's retention and 2 days more")
	}
	return nil
}

// TransactionalID is the stable id of a worker slot: a successor with the same id fences a killed
// process and aborts what it left open.
func TransactionalID(group string, instance, slot int) string {
	return group + "-" + strconv.Itoa(instance) + "-" + strconv.Itoa(slot)
}

// Normalizer is the worker slots of one process.
type Normalizer struct {
	o       Options
	workers []*worker
	metrics *metrics
	alone   sync.RWMutex
	kafka   state // what the watch over the lag found
	holds   holds
}

// New makes a Normalizer without touching the network.
func New(o Options) (*Normalizer, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	n := &Normalizer{o: o, holds: holds{limit: o.TransactionTimeout + 2*lagEvery}}
	for slot := range o.Slots {
		n.workers = append(n.workers, newWorker(o, slot))
	}
	var err error
	if n.metrics, err = newMetrics(o.Metrics, o.Registerer, n.workers); err != nil {
		return nil, fmt.Errorf("normalize: metrics: %w", err)
	}
	turns, writes := make(chan struct{}, repairsAtOnce), dedupe.NewQueue()
	for _, w := range n.workers {
		w.metrics, w.alone, w.turns, w.writes = n.metrics, &n.alone, turns, writes
	}
	return n, nil
}

// Run works until ctx ends, then finishes or gives back the batches in hand, writes the marks still
// pending and leaves the group. It returns an error only for what waiting cannot cure.
func (n *Normalizer) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	errs := make([]error, len(n.workers))
	for i, w := range n.workers {
		group.Go(func() error {
			errs[i] = w.run(ctx)
			return errs[i]
		})
	}
	if n.o.Log != nil {
		group.Go(func() error { n.watchLag(ctx); return nil })
	}
	_ = group.Wait() // it has but the first
	return errors.Join(errs...)
}

// NotReady are the reasons why a Normalizer is not ready, each of its own.
type NotReady []error

// Error gives each reason on a line.
func (n NotReady) Error() string { return errors.Join(n...).Error() }

// Unwrap gives the reasons.
func (n NotReady) Unwrap() []error { return n }

// Ready is what is down or being repaired, a NotReady; nil when every slot can work.
func (n *Normalizer) Ready() error {
	var all NotReady
	for _, err := range []error{n.kafka.get(), n.storeDown()} {
		if err != nil {
			all = append(all, err)
		}
	}
	for _, w := range n.workers {
		all = append(all, w.state.reasons()...)
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// Held names the partitions in which a transaction does not end; nil: none. It is no reason to be unready: what
// waits are the readers of what was written.
func (n *Normalizer) Held() error { return n.holds.err() }

// storeDown is what the watch over the store of claims has found: a slot that has nothing to claim does not ask.
func (n *Normalizer) storeDown() error {
	if n.o.Kept == nil || n.o.Claims == nil {
		return nil
	}
	return n.o.Kept.Down()
}
