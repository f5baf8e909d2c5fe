package normalize_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"buf.build/go/protovalidate"
	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// testLimit ends a test that hangs; no test depends on its length.
const testLimit = 90 * time.Second

// validator is made once: compiling every rule takes a while.
var validator = sync.OnceValues(schemas.NewValidator)

// world is a broker and a Redis in this process, with what went in.
type world struct {
	t       *testing.T
	ctx     context.Context
	cluster *kfake.Cluster
	redis   *miniredis.Miniredis
	sink    sink.Options
	reader  *sink.Reader
	raw     *kgo.Client

	undertaker *normalizetest.Undertaker
	dispID     [16]byte
}

func newWorld(t *testing.T, partitions int32, opts ...kfake.Opt) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, redis: miniredis.RunT(t)}
	var names []string
	for _, topic := range schemas.Topics() {
		names = append(names, topic.Name(schemas.DefaultPrefix))
	}
	opts = append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, names...), kfake.GroupMinSessionTimeout(time.Millisecond)}, opts...)
	w.cluster = must(kfake.NewCluster(opts...))(t)
	t.Cleanup(w.cluster.Close)
	w.sink = sink.Options{Brokers: w.cluster.ListenAddrs()}
	w.reader = must(sink.OpenReader(ctx, w.sink))(t)
	t.Cleanup(w.reader.Close)
	w.raw = must(kgo.NewClient(kgo.SeedBrokers(w.sink.Brokers...), kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner())))(t)
	t.Cleanup(w.raw.Close)
	w.undertaker = normalizetest.NewUndertaker(w.raw)
	var err error
	if _, w.dispID, err = w.reader.Partitions(ctx, schemas.DispositionTopic); err != nil {
		t.Fatal(err)
	}
	return w
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// send appends deliveries to one raw partition.
func (w *world) send(partition int32, all ...said) {
	w.t.Helper()
	for _, s := range all {
		w.sendBytes(partition, s.key(), record(w.t, s))
	}
}

func (w *world) sendBytes(partition int32, key, value []byte) {
	w.t.Helper()
	r := &kgo.Record{Topic: schemas.DefaultPrefix + schemas.Raw, Partition: partition, Key: key, Value: value}
	if err := w.raw.ProduceSync(w.ctx, r).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// store is a client of the world's Redis, patient since the machine may be slow.
func (w *world) store(addr string) *dedupe.Store {
	w.t.Helper()
	s := must(dedupe.NewStore(dedupe.StoreOptions{
		Addresses: []string{addr}, TTL: time.Hour, EvictionChecked: true,
		ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, CallLimit: 10 * time.Second,
	}))(w.t)
	w.t.Cleanup(func() { _ = s.Close() })
	return s
}

// options is a normaliser of this world with one slot.
func (w *world) options(instance int, l *normalizetest.Line) normalize.Options {
	v := must(validator())(w.t)
	o := normalize.Options{
		Instance: instance, Judge: judge,
		Claims: w.store(w.redis.Addr()), TTL: time.Hour, Wait: 50 * time.Millisecond,
		Providers: []providers.Provider{vendor()}, Validator: v, Grace: time.Second,
		History: func(ctx context.Context, p int32, offset int64, since time.Time, fn func(*kgo.Record) error) (int64, error) {
			return w.reader.Scan(ctx, schemas.DispositionTopic, p, sink.Start{Offset: offset, Time: since}, fn)
		},
		Ends: func(ctx context.Context) (map[int32]int64, error) { return w.reader.Ends(ctx, schemas.Raw) },
		Committed: func(ctx context.Context) (map[int32]int64, error) {
			return w.reader.Committed(ctx, normalize.DefaultGroup, schemas.Raw)
		},
	}
	if os.Getenv("KYCBRIDGE_TEST_LOG") != "" {
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("instance", instance)
	}
	kafka := w.sink
	// The fake broker waits this long for a killed member before it lets the others on.
	kafka.Extra = []kgo.Opt{kgo.Dialer(l.Dial), kgo.RebalanceTimeout(2 * time.Second)}
	o.Open = func(ctx context.Context, id string, watch normalize.Watch) (normalize.Slot, error) {
		s, err := sink.OpenSession(ctx, kafka, sink.SessionOptions{
			Group: normalize.DefaultGroup, TransactionalID: id, Input: schemas.Raw,
			SessionTimeout: 1500 * time.Millisecond, Heartbeat: 200 * time.Millisecond, TransactionTimeout: 15 * time.Second,
			OnAssigned: watch.Assigned, OnRevoked: watch.Revoked,
		})
		if err != nil {
			return normalize.Slot{}, err
		}
		return normalize.Slot{Session: s, RawTopicID: s.TopicID(), DispositionID: w.dispID, Close: s.Close, Refused: s.Refused}, nil
	}
	return o
}

// judge is the mapping cmd hands in.
func judge(err error) normalize.Trouble {
	switch {
	case errors.Is(err, sink.ErrTopicChanged):
		return normalize.Stop
	case errors.Is(err, sink.ErrFenced):
		return normalize.Fenced
	case errors.Is(err, sink.ErrBroken), errors.Is(err, sink.ErrClosed):
		return normalize.Reopen
	default:
		return normalize.Passing
	}
}

// process is a running normaliser.
type process struct {
	n    *normalize.Normalizer
	line *normalizetest.Line
	stop func() error // asks it to end, and waits
	wait func() error // until it ends of itself
}

// start runs a normaliser with the options as changed.
func (w *world) start(instance int, change ...func(*normalize.Options)) *process {
	w.t.Helper()
	l := w.undertaker.Line()
	o := w.options(instance, l)
	for _, f := range change {
		f(&o)
	}
	n := must(normalize.New(o))(w.t)
	ctx, cancel := context.WithCancel(w.ctx)
	p := &process{n: n, line: l}
	ended := make(chan struct{})
	var end error
	go func() { defer close(ended); end = n.Run(ctx) }()
	p.wait = func() error { <-ended; return end }
	p.stop = func() error { cancel(); return p.wait() }
	w.t.Cleanup(func() { _ = p.stop() })
	return p
}

// kill ends a process as kill -9 does: nothing it still wants to say arrives.
func (p *process) kill() {
	p.line.Cut()
	_ = p.stop()
}

// read gives all committed records of a topic.
func (w *world) read(base string) []*kgo.Record {
	w.t.Helper()
	n, _, err := w.reader.Partitions(w.ctx, base)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []*kgo.Record
	for p := range int32(n) {
		if _, err := w.reader.Scan(w.ctx, base, p, sink.Start{}, func(r *kgo.Record) error {
			all = append(all, r)
			return nil
		}); err != nil {
			w.t.Fatal(err)
		}
	}
	return all
}

func decode[M proto.Message](t *testing.T, all []*kgo.Record, empty func() M) []M {
	t.Helper()
	var out []M
	for _, r := range all {
		m := empty()
		if err := proto.Unmarshal(r.Value, m); err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

func (w *world) dispositions() []*kycv1.Disposition {
	return decode(w.t, w.read(schemas.DispositionTopic), func() *kycv1.Disposition { return &kycv1.Disposition{} })
}

func (w *world) deadLetters() []*kycv1.DeadLetter {
	return decode(w.t, w.read(schemas.DeadLetterTopic), func() *kycv1.DeadLetter { return &kycv1.DeadLetter{} })
}

// events gives the content of each event, "<id>/<text>", in the order of the log.
func (w *world) events() []string {
	var texts []string
	for _, e := range decode(w.t, w.read(schemas.Session), func() *kycv1.SessionEvent { return &kycv1.SessionEvent{} }) {
		texts = append(texts, e.GetVendorStatus())
	}
	return texts
}

// await polls a condition; what is being awaited is said when it never comes.
func (w *world) await(what string, ok func() bool) {
	w.t.Helper()
	for !ok() {
		if w.ctx.Err() != nil {
			w.t.Fatalf("never happened: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// settle waits until the group has committed all of raw.
func (w *world) settle() {
	w.t.Helper()
	w.await("all of raw is committed", w.settled)
}

func (w *world) settled() bool {
	w.undertaker.Bury(w.ctx, normalize.DefaultGroup)
	ends, err := w.reader.Ends(w.ctx, schemas.Raw)
	if err != nil {
		return false
	}
	committed, err := w.reader.Committed(w.ctx, normalize.DefaultGroup, schemas.Raw)
	if err != nil {
		return false
	}
	for p, end := range ends {
		if end > 0 && committed[p] < end {
			return false
		}
	}
	return true
}

// audit checks conservation: one disposition for each raw record, and every rule of the contract
// kept by everything that was written.
func (w *world) audit() {
	w.t.Helper()
	v := must(validator())(w.t)
	type at struct {
		partition int32
		offset    int64
	}
	seen := map[at]int{}
	for _, d := range w.dispositions() {
		seen[at{d.GetRaw().GetPartition(), d.GetRaw().GetOffset()}]++
		w.valid(v, d)
	}
	for _, d := range w.deadLetters() {
		w.valid(v, d)
	}
	raw := w.read(schemas.Raw)
	for _, r := range raw {
		if n := seen[at{r.Partition, r.Offset}]; n != 1 {
			w.t.Errorf("raw record %d/%d has %d dispositions, expected 1", r.Partition, r.Offset, n)
		}
	}
	if len(seen) != len(raw) {
		w.t.Errorf("%d records have dispositions, but there are %d", len(seen), len(raw))
	}
}

func (w *world) valid(v protovalidate.Validator, m proto.Message) {
	w.t.Helper()
	if err := v.Validate(m); err != nil {
		w.t.Errorf("%s breaks the contract: %v", m.ProtoReflect().Descriptor().Name(), err)
	}
}

// expectEvents compares the events in the log, in any order across partitions.
func (w *world) expectEvents(want ...string) {
	w.t.Helper()
	got := w.events()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Errorf("events %v, expected %v", brief(got), brief(want))
	}
}

func brief(all []string) string {
	if len(all) > 12 {
		return fmt.Sprintf("%v … (%d)", all[:12], len(all))
	}
	return fmt.Sprint(all)
}
