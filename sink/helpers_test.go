package sink

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/embedded/repair"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// testLimit ends a test that hangs; no test depends on its length.
const testLimit = 60 * time.Second

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	t.Cleanup(cancel)
	return ctx
}

// fake starts a broker in this process with all topics of the catalogue, two
// partitions each.
func fake(t *testing.T, opts ...kfake.Opt) (*kfake.Cluster, Options) {
	t.Helper()
	o := Options{}
	var names []string
	for _, topic := range schemas.Topics() {
		names = append(names, o.Topic(topic.Base))
	}
	cluster, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.SeedTopics(2, names...), kfake.GroupMinSessionTimeout(time.Millisecond),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	repair.Fetch(cluster)
	o.Brokers = cluster.ListenAddrs()
	return cluster, o
}

// real gives a prefix of its own on the broker KYCBRIDGE_TEST_KAFKA names, with
// all topics created.
func real(t *testing.T) Options {
	t.Helper()
	broker := os.Getenv("KYCBRIDGE_TEST_KAFKA")
	if broker == "" {
		if os.Getenv("KYCBRIDGE_TEST_REQUIRE") == "1" {
			t.Fatal("KYCBRIDGE_TEST_KAFKA is not set and KYCBRIDGE_TEST_REQUIRE=1 asks for a real broker")
		}
		t.Skip("KYCBRIDGE_TEST_KAFKA (host:port of a real Kafka) is not set")
	}
	o := Options{Brokers: []string{broker}, TopicPrefix: "t" + rand.Text()[:10] + "."}
	if _, err := CreateTopics(testContext(t), o, TopicSettings{Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	return o
}

// onEach runs a test on the broker in this process and on a real one.
func onEach(t *testing.T, test func(t *testing.T, o Options)) {
	t.Run("fake", func(t *testing.T) {
		_, o := fake(t)
		test(t, o)
	})
	t.Run("real", func(t *testing.T) { test(t, real(t)) })
}

func openLog(t *testing.T, o Options, raw RawLogOptions) *RawLog {
	t.Helper()
	l, err := OpenRawLog(testContext(t), o, raw)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = l.Close(ctx) // what is in flight at the end of a test does not matter
	})
	return l
}

func openReader(t *testing.T, o Options) *Reader {
	t.Helper()
	r, err := OpenReader(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// slot gives the options of the one worker slot tests use.
func slot() SessionOptions {
	return SessionOptions{Group: "normalize", TransactionalID: "normalize-0-0", Input: schemas.Raw}
}

func openSession(t *testing.T, o Options, so SessionOptions) *Session {
	t.Helper()
	s, err := OpenSession(testContext(t), o, so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// appendRaw writes n envelopes to the raw topic and waits for each.
func appendRaw(t *testing.T, o Options, n int) {
	t.Helper()
	l := openLog(t, o, RawLogOptions{})
	for i := range n {
		done := make(chan error, 1)
		l.Append([]byte(fmt.Sprintf("shop/%d", i)), encoded(envelope(i)), nil, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func envelope(i int) *kycv1.RawEnvelope {
	return &kycv1.RawEnvelope{Provider: "complycube", Endpoint: "shop", Body: fmt.Appendf(nil, `{"n":%d}`, i)}
}

// session and disposition are two records a batch may give rise to.
func sessionEvent(id string) record.Outgoing {
	return outgoing(&kycv1.SessionEvent{Metadata: &kycv1.EventMetadata{EventId: id}}, "shop/"+id, record.ByKey)
}

func disposition(partition int32, offset int64) record.Outgoing {
	return outgoing(&kycv1.Disposition{Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: partition, Offset: offset}}, "shop/x", partition)
}

// outgoing is a message on its way to its topic.
func outgoing(m proto.Message, key string, partition int32) record.Outgoing {
	topic, _ := schemas.TopicFor(m)
	return record.Outgoing{Topic: topic.Base, Key: []byte(key), Value: encoded(m), Partition: partition}
}

func encoded(m proto.Message) []byte {
	value, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return value
}

// pollAll polls until n records of one batch have come.
func pollSome(t *testing.T, s *Session) []*kgo.Record {
	t.Helper()
	ctx := testContext(t)
	for ctx.Err() == nil {
		records, err := s.Poll(ctx, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) > 0 {
			return records
		}
	}
	t.Fatal("no records came")
	return nil
}

// readAll gives every committed record of a topic, by partition and offset.
func readAll(t *testing.T, o Options, base string) []*kgo.Record {
	t.Helper()
	r := openReader(t, o)
	n, _, err := r.Partitions(testContext(t), base)
	if err != nil {
		t.Fatal(err)
	}
	var all []*kgo.Record
	for p := range int32(n) {
		if _, err := r.Scan(testContext(t), base, p, record.ScanFrom{}, func(rec *kgo.Record) error {
			all = append(all, rec)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func decode[M proto.Message](t *testing.T, r *kgo.Record, into M) M {
	t.Helper()
	if err := proto.Unmarshal(r.Value, into); err != nil {
		t.Fatal(err)
	}
	return into
}

// gate holds requests back until it is opened, and tells when one has arrived.
type gate struct {
	arrived chan struct{}
	release chan struct{}
	open    func()
}

func newGate() *gate {
	g := &gate{arrived: make(chan struct{}, 1), release: make(chan struct{})}
	g.open = sync.OnceFunc(func() { close(g.release) })
	return g
}

func (g *gate) hold() {
	select {
	case g.arrived <- struct{}{}:
	default:
	}
	<-g.release
}

// heldRecords counts the records of topics that lie behind the last stable offset.
func heldRecords(t *testing.T, r *Reader, bases ...string) (n int64) {
	t.Helper()
	all, err := r.HeldPartitions(testContext(t), bases...)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range all {
		n += h.Records
	}
	return n
}
