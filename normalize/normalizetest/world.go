package normalizetest

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/embedded/repair"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// World is a broker and a Redis in this process, with our topics, and what a test needs to look at them.
type World struct {
	T          *testing.T
	Ctx        context.Context
	Cluster    *kfake.Cluster
	Redis      *miniredis.Miniredis
	Sink       sink.Options
	Reader     *sink.Reader
	Client     *kgo.Client // the test's own; each record names its partition
	Undertaker *Undertaker
	IDs        map[string][16]byte // of the topics, by base name
}

// NewWorld starts one. limit ends a test that hangs; no test depends on its length.
func NewWorld(t *testing.T, limit time.Duration, partitions int32, opts ...kfake.Opt) *World {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	w := &World{T: t, Ctx: ctx, Redis: miniredis.RunT(t), IDs: map[string][16]byte{}}
	var names []string
	for _, topic := range schemas.Topics() {
		names = append(names, topic.Name(schemas.DefaultPrefix))
	}
	opts = append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, names...), kfake.GroupMinSessionTimeout(time.Millisecond)}, opts...)
	w.Cluster = Must(kfake.NewCluster(opts...))(t)
	t.Cleanup(w.Cluster.Close)
	repair.Fetch(w.Cluster)
	w.Sink = sink.Options{Brokers: w.Cluster.ListenAddrs()}
	w.Reader = Must(sink.OpenReader(ctx, w.Sink))(t)
	t.Cleanup(w.Reader.Close)
	w.Client = Must(kgo.NewClient(kgo.SeedBrokers(w.Sink.Brokers...), kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner())))(t)
	t.Cleanup(w.Client.Close)
	w.Undertaker = NewUndertaker(w.Client)
	// Not by the Reader, which would go on believing for seconds in the partitions it sees now.
	listed := Must(kadm.NewClient(w.Client).ListTopics(ctx, names...))(t)
	for _, topic := range schemas.Topics() {
		w.IDs[topic.Base] = listed[topic.Name(schemas.DefaultPrefix)].ID
	}
	return w
}

// Must gives what a call returned, or ends the test.
func Must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// validator is made once: compiling every rule takes a while.
var validator = sync.OnceValue(contract.NewValidator)

// Validator knows every rule of the contract.
func Validator(t testing.TB) *contract.Validator {
	t.Helper()
	return validator()
}

// Logger writes down what a process says where KYCBRIDGE_TEST_LOG is set, and else is nil.
func Logger(args ...any) *slog.Logger {
	if os.Getenv("KYCBRIDGE_TEST_LOG") == "" {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With(args...)
}

// Produce writes records as they are, each into the partition it names.
func (w *World) Produce(records ...*kgo.Record) {
	w.T.Helper()
	if err := w.Client.ProduceSync(w.Ctx, records...).FirstErr(); err != nil {
		w.T.Fatal(err)
	}
}

// Write writes records where they belong, and sets every Offset.
func (w *World) Write(out []record.Outgoing) {
	w.T.Helper()
	for i, o := range out {
		n, _, err := w.Reader.Partitions(w.Ctx, o.Topic)
		if err != nil {
			w.T.Fatal(err)
		}
		if o.Partition == record.ByKey {
			o.Partition = sink.PartitionOf(string(o.Key), int32(n))
		}
		r := &kgo.Record{Topic: w.Sink.Topic(o.Topic), Partition: o.Partition, Key: o.Key, Value: o.Value}
		for _, h := range o.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader(h))
		}
		w.Produce(r)
		out[i].Offset = r.Offset
	}
}

// Store is a client of the world's Redis, patient since the machine may be slow.
func (w *World) Store() *dedupe.Store {
	w.T.Helper()
	return StoreAt(w.T, w.Redis.Addr())
}

// Read gives all committed records of a topic.
func (w *World) Read(base string) (all []*kgo.Record) {
	w.T.Helper()
	n, _, err := w.Reader.Partitions(w.Ctx, base)
	if err != nil {
		w.T.Fatal(err)
	}
	for p := range int32(n) {
		if _, err := w.Reader.Scan(w.Ctx, base, p, record.ScanFrom{}, func(r *kgo.Record) error {
			all = append(all, r)
			return nil
		}); err != nil {
			w.T.Fatal(err)
		}
	}
	return all
}

// Decode reads records as messages.
func Decode[M proto.Message](t *testing.T, all []*kgo.Record, empty func() M) []M {
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

// Message is what a record on its way holds.
func Message(t testing.TB, out record.Outgoing) proto.Message {
	t.Helper()
	topic, ok := schemas.TopicNamed("", out.Topic)
	if !ok {
		t.Fatalf("there is no topic %q", out.Topic)
	}
	return Must(contract.Decode(nil, topic, out.Value))(t)
}

// Records are what must be written for a reading.
func Records(t testing.TB, r *normalize.Reading, v dedupe.Verdict, decidedAt time.Time) []record.Outgoing {
	t.Helper()
	return Must(r.Records(v, decidedAt))(t)
}

// Await polls a condition; what is being awaited is said when it never comes. What only the end of
// the context brings, with which everything shuts down, does not count.
func (w *World) Await(what string, ok func() bool) {
	w.T.Helper()
	for {
		met := ok()
		if w.Ctx.Err() != nil {
			w.T.Fatalf("never happened: %s", what)
		}
		if met {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Passed reports whether the normaliser has committed all of raw.
func Passed(ctx context.Context, r *sink.Reader) (bool, error) {
	ends, err := r.Ends(ctx, schemas.Raw)
	if err != nil {
		return false, err
	}
	committed, err := r.Committed(ctx, normalize.DefaultGroup, schemas.Raw)
	if err != nil {
		return false, err
	}
	for p, end := range ends {
		if end > 0 && committed[p] < end {
			return false, nil
		}
	}
	return true, nil
}
