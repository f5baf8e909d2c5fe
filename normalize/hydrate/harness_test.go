package hydrate_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// testLimit ends a test that hangs; no test depends on its length.
const testLimit = 3 * time.Minute

var validator = sync.OnceValues(schemas.NewValidator)

// world is a broker and a Redis in this process, the APIs of the test vendors, and what went in.
type world struct {
	t       *testing.T
	ctx     context.Context
	cluster *kfake.Cluster
	redis   *miniredis.Miniredis
	sink    sink.Options
	reader  *sink.Reader
	raw     *kgo.Client

	undertaker *normalizetest.Undertaker
	rawID      [16]byte
	dispID     [16]byte
	apis       map[string]*api // by vendor
}

func newWorld(t *testing.T, partitions int32) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, redis: miniredis.RunT(t), apis: map[string]*api{}}
	var names []string
	for _, topic := range schemas.Topics() {
		names = append(names, topic.Name(schemas.DefaultPrefix))
	}
	w.cluster = must(kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, names...), kfake.GroupMinSessionTimeout(time.Millisecond)))(t)
	t.Cleanup(w.cluster.Close)
	w.sink = sink.Options{Brokers: w.cluster.ListenAddrs()}
	w.reader = must(sink.OpenReader(ctx, w.sink))(t)
	t.Cleanup(w.reader.Close)
	w.raw = must(kgo.NewClient(kgo.SeedBrokers(w.sink.Brokers...), kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner())))(t)
	t.Cleanup(w.raw.Close)
	w.undertaker = normalizetest.NewUndertaker(w.raw)
	w.rawID, w.dispID = w.topicID(schemas.Raw), w.topicID(schemas.DispositionTopic)
	for _, name := range []string{shyName, thinName} {
		w.apis[name] = newAPI(t)
	}
	return w
}

func (w *world) topicID(base string) [16]byte {
	_, id, err := w.reader.Partitions(w.ctx, base)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
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

// send appends deliveries to the raw topic.
func (w *world) send(partition int32, all ...said) {
	w.t.Helper()
	for _, s := range all {
		value := must(schemas.Marshal(s.envelope()))(w.t)
		r := &kgo.Record{Topic: schemas.DefaultPrefix + schemas.Raw, Partition: partition, Key: s.key(), Value: value}
		if err := w.raw.ProduceSync(w.ctx, r).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) store() *dedupe.Store {
	s := must(dedupe.NewStore(dedupe.StoreOptions{
		Addresses: []string{w.redis.Addr()}, TTL: time.Hour, EvictionChecked: true,
		ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, CallLimit: 10 * time.Second,
	}))(w.t)
	w.t.Cleanup(func() { _ = s.Close() })
	return s
}

// stage is what both stages of this world share.
func (w *world) stage(instance int, l *normalizetest.Line, group, input string) normalize.Options {
	o := normalize.Options{
		Instance: instance, Judge: judge, Claims: w.store(), TTL: time.Hour, Wait: 50 * time.Millisecond,
		Providers: []providers.Provider{shy(), thin()}, Validator: must(validator())(w.t), Grace: time.Second,
		Hydrates: func(endpoint string) bool { return endpoint == thinName },
		History: func(ctx context.Context, p int32, offset int64, since time.Time, fn func(*kgo.Record) error) (int64, error) {
			return w.reader.Scan(ctx, schemas.DispositionTopic, p, sink.Start{Offset: offset, Time: since}, fn)
		},
		Registerer: prometheus.NewRegistry(), Open: w.open(l, group, input),
	}
	if os.Getenv("KYCBRIDGE_TEST_LOG") != "" {
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("instance", instance, "group", group)
	}
	return o
}

func (w *world) open(l *normalizetest.Line, group, input string) func(context.Context, string, normalize.Watch) (normalize.Slot, error) {
	kafka := w.sink
	// The fake broker waits this long for a killed member, and anew with each join of another one, before
	// it lets the others on; a member that waits longer than its client does would join again for ever.
	kafka.Extra = []kgo.Opt{kgo.Dialer(l.Dial), kgo.RebalanceTimeout(2 * time.Second)}
	return func(ctx context.Context, id string, watch normalize.Watch) (normalize.Slot, error) {
		s, err := sink.OpenSession(ctx, kafka, sink.SessionOptions{
			Group: group, TransactionalID: id, Input: input, Gather: input == schemas.Hydrate,
			SessionTimeout: 1500 * time.Millisecond, Heartbeat: 200 * time.Millisecond, TransactionTimeout: 15 * time.Second,
			OnAssigned: watch.Assigned, OnRevoked: watch.Revoked,
		})
		if err != nil {
			return normalize.Slot{}, err
		}
		return normalize.Slot{Session: s, TopicID: s.TopicID(), RawTopicID: w.rawID, DispositionID: w.dispID, Close: s.Close, Refused: s.Refused}, nil
	}
}

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

// options is a hydrator of this world, impatient so that tests are quick.
func (w *world) options(instance int, l *normalizetest.Line) hydrate.Options {
	o := hydrate.Options{
		Stage: w.stage(instance, l, hydrate.DefaultGroup, schemas.Hydrate), OpenWait: w.open(l, hydrate.DefaultGroup, schemas.HydrateWait),
		Rate: 10000, Timeout: 5 * time.Second, GiveUpAfter: 24 * time.Hour * 365 * 100,
		RetryFirst: 20 * time.Millisecond, AskAgainAfter: 100 * time.Millisecond, Reappend: 300 * time.Millisecond,
	}
	for _, v := range []providers.Provider{shy(), thin()} {
		o.Endpoints = append(o.Endpoints, hydrate.Endpoint{
			Name: v.Name, Provider: v, Environment: kycv1.Environment_ENVIRONMENT_LIVE, Internal: true,
			BaseURL: w.apis[v.Name].url, Credentials: hydrate.Credentials{Key: "key-of-" + v.Name},
		})
	}
	return o
}

// process is a running normaliser and hydrator.
type process struct {
	line *normalizetest.Line
	stop func() error
}

// start runs both stages; change alters the hydrator.
func (w *world) start(instance int, change ...func(*hydrate.Options)) *process {
	w.t.Helper()
	l := w.undertaker.Line()
	o := w.options(instance, l)
	for _, f := range change {
		f(&o)
	}
	h := must(hydrate.New(o))(w.t)
	n := must(normalize.New(w.stage(instance, l, normalize.DefaultGroup, schemas.Raw)))(w.t)
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 2)
	go func() { done <- h.Run(ctx) }()
	go func() { done <- n.Run(ctx) }()
	p := &process{line: l}
	p.stop = sync.OnceValue(func() error { cancel(); return errors.Join(<-done, <-done) })
	w.t.Cleanup(func() { _ = p.stop() })
	return p
}

// kill ends a process as kill -9 does: nothing it still wants to say arrives.
func (p *process) kill() {
	p.line.Cut()
	_ = p.stop()
}

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

func (w *world) events() []*kycv1.SessionEvent {
	return decode(w.t, w.read(schemas.Session), func() *kycv1.SessionEvent { return &kycv1.SessionEvent{} })
}

func (w *world) tasks() []*kycv1.HydrateTask {
	return decode(w.t, w.read(schemas.Hydrate), func() *kycv1.HydrateTask { return &kycv1.HydrateTask{} })
}

func (w *world) dispositions() []*kycv1.Disposition {
	return decode(w.t, w.read(schemas.DispositionTopic), func() *kycv1.Disposition { return &kycv1.Disposition{} })
}

func (w *world) deadLetters() []*kycv1.DeadLetter {
	return decode(w.t, w.read(schemas.DeadLetterTopic), func() *kycv1.DeadLetter { return &kycv1.DeadLetter{} })
}

// texts gives what each event says, "<id>/<status>/<how it was had>".
func (w *world) texts() []string {
	var texts []string
	for _, e := range w.events() {
		texts = append(texts, textOf(e))
	}
	slices.Sort(texts)
	return texts
}

// await polls a condition; what is being awaited is said when it never comes.
func (w *world) await(what string, ok func() bool) {
	w.t.Helper()
	for !ok() {
		if w.ctx.Err() != nil {
			w.t.Fatalf("never happened: %s; events %v", what, w.texts())
		}
		time.Sleep(25 * time.Millisecond)
	}
}

// finals counts the final dispositions of each raw record.
func (w *world) finals() map[[2]int64]int {
	finals := map[[2]int64]int{}
	for _, d := range w.dispositions() {
		if d.GetKind() != kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING {
			finals[[2]int64{int64(d.GetRaw().GetPartition()), d.GetRaw().GetOffset()}]++
		}
	}
	return finals
}

// settle waits until every raw record has its final disposition.
func (w *world) settle() {
	w.t.Helper()
	raw := len(w.read(schemas.Raw))
	w.await("every delivery has a final disposition", func() bool {
		w.undertaker.Bury(w.ctx, normalize.DefaultGroup, hydrate.DefaultGroup)
		return len(w.finals()) == raw
	})
}

// audit checks conservation and the contract: one final disposition for each raw record, after one
// HYDRATING at most, and every record as its rules say.
func (w *world) audit() {
	w.t.Helper()
	for at, n := range w.finals() {
		if n != 1 {
			w.t.Errorf("raw record %v has %d final dispositions, expected 1", at, n)
		}
	}
	if raw, finals := len(w.read(schemas.Raw)), len(w.finals()); raw != finals {
		w.t.Errorf("%d raw records, %d with a final disposition", raw, finals)
	}
	v := must(validator())(w.t)
	for _, d := range w.dispositions() {
		if err := v.Validate(d); err != nil {
			w.t.Errorf("a disposition breaks the contract: %v", err)
		}
		if (d.GetStage() == kycv1.Stage_STAGE_HYDRATE) != (d.GetClaimed() != nil) {
			w.t.Errorf("a disposition of %v has claimed = %v", d.GetStage(), d.GetClaimed())
		}
	}
	for _, d := range w.deadLetters() {
		if err := v.Validate(d); err != nil {
			w.t.Errorf("a dead letter breaks the contract: %v", err)
		}
	}
	for _, task := range w.tasks() {
		if err := v.Validate(task); err != nil {
			w.t.Errorf("a task breaks the contract: %v", err)
		}
	}
}

func (w *world) expect(want ...string) {
	w.t.Helper()
	slices.Sort(want)
	if got := w.texts(); !slices.Equal(got, want) {
		w.t.Errorf("events\n%v, expected\n%v", got, want)
	}
}
