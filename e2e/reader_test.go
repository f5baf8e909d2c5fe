package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// position names one Kafka record.
type position struct {
	topic     string
	partition int32
	offset    int64
}

// reader is an ordinary read_committed consumer of every topic. One runs during
// a test, as a downstream team's would; another reads everything afterwards.
type reader struct {
	prefix string
	client *kgo.Client
	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	records  map[position]*kgo.Record
	disposed map[position]disposal      // raw records whose final disposition was read
	next     map[string]map[int32]int64 // per topic and partition, the offset after the last record read
	newest   time.Time
}

// disposal is what is known of a raw record whose final disposition was read.
type disposal struct {
	seen    time.Time // when the first one was
	emitted bool      // one of them names events
}

func topics(prefix string) []string {
	var names []string
	for _, topic := range schemas.Topics() {
		names = append(names, topic.Name(prefix))
	}
	return names
}

// twins are the JSON topics.
func twins(prefix string) []string {
	var names []string
	for _, topic := range schemas.JSONTopics() {
		names = append(names, topic.Name(prefix))
	}
	return names
}

// topicOf finds a topic of the catalogue, or a twin, whatever the prefix of the deployment.
func topicOf(name string) schemas.Topic {
	for _, topic := range append(schemas.Topics(), schemas.JSONTopics()...) {
		if strings.HasSuffix(name, topic.Base) {
			return topic
		}
	}
	return schemas.Topic{}
}

// read starts a consumer from the start of every topic.
func read(t testing.TB, kafka, prefix string) *reader {
	t.Helper()
	return readFrom(t, kafka, prefix, nil)
}

// readFrom is read from given offsets of every topic on; nil: from the start, and of more topics.
func readFrom(t testing.TB, kafka, prefix string, begins kadm.ListedOffsets, more ...string) *reader {
	t.Helper()
	from := kgo.ConsumeTopics(append(topics(prefix), more...)...)
	next := map[string]map[int32]int64{}
	if begins != nil {
		from = kgo.ConsumePartitions(begins.KOffsets())
		begins.Each(func(o kadm.ListedOffset) {
			if next[o.Topic] == nil {
				next[o.Topic] = map[int32]int64{}
			}
			next[o.Topic][o.Partition] = o.Offset
		})
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(kafka, ",")...),
		from,
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(100*time.Millisecond),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.MetadataMaxAge(time.Second), // it sees new partitions as soon as the processes do
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
	)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{prefix: prefix, client: client, cancel: cancel, done: make(chan struct{}), newest: time.Now(),
		records: map[position]*kgo.Record{}, disposed: map[position]disposal{}, next: next}
	go r.run(ctx, t)
	t.Cleanup(r.stop)
	return r
}

func (r *reader) run(ctx context.Context, t testing.TB) {
	defer close(r.done)
	for ctx.Err() == nil {
		fetches := r.client.PollFetches(ctx)
		r.mu.Lock()
		fetches.EachRecord(func(record *kgo.Record) { r.note(t, record) })
		r.mu.Unlock()
	}
}

// note takes a record up. The lock is held.
func (r *reader) note(t testing.TB, record *kgo.Record) {
	r.records[position{record.Topic, record.Partition, record.Offset}] = record
	r.newest = time.Now()
	if r.next[record.Topic] == nil {
		r.next[record.Topic] = map[int32]int64{}
	}
	r.next[record.Topic][record.Partition] = record.Offset + 1
	if topicOf(record.Topic).Base != schemas.DispositionTopic {
		return
	}
	d := &kycv1.Disposition{}
	if err := proto.Unmarshal(record.Value, d); err != nil {
		t.Errorf("%s/%d@%d: %v", record.Topic, record.Partition, record.Offset, err)
	}
	if d.GetKind() != kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING {
		at := rawOf(d.GetRaw())
		known, again := r.disposed[at]
		if !again {
			known.seen = r.newest
		}
		known.emitted = known.emitted || d.GetKind() == kycv1.DispositionKind_DISPOSITION_KIND_EMITTED
		r.disposed[at] = known
	}
}

func (r *reader) stop() {
	r.cancel()
	<-r.done
	r.client.Close()
}

// quiet waits until every raw record has its final disposition and nothing new has
// come for a while, so that what is read afterwards is all there will be.
func (r *reader) quiet(t testing.TB) {
	t.Helper()
	const silence = 700 * time.Millisecond
	var missing string
	if !eventually(patience, func() bool {
		missing = r.missing()
		r.mu.Lock()
		defer r.mu.Unlock()
		return missing == "" && time.Since(r.newest) > silence
	}) {
		t.Fatalf("after %s there is still something to come: %s%s", patience, missing, r.behind())
	}
}

// missing says which raw records are not yet read or have no disposition yet.
func (r *reader) missing() string {
	ends, err := kadm.NewClient(r.client).ListEndOffsets(context.Background(), r.prefix+schemas.Raw)
	if err != nil {
		return err.Error()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out strings.Builder
	ends.Each(func(end kadm.ListedOffset) {
		if read := r.next[end.Topic][end.Partition]; read < end.Offset {
			fmt.Fprintf(&out, " raw partition %d read to %d of %d;", end.Partition, read, end.Offset)
		}
	})
	var undisposed []string
	for at := range r.records {
		if _, disposed := r.disposed[at]; topicOf(at.topic).Base == schemas.Raw && !disposed {
			undisposed = append(undisposed, fmt.Sprintf("%d@%d", at.partition, at.offset))
		}
	}
	if len(undisposed) > 0 {
		fmt.Fprintf(&out, " %d raw records without a final disposition, such as %s;", len(undisposed), some(undisposed))
	}
	return out.String()
}

// behind says how far the disposition topic goes, and how far it was read: whether something is missing in
// Kafka, hidden by an open transaction, or not read yet.
func (r *reader) behind() string {
	topic, admin := r.prefix+schemas.DispositionTopic, kadm.NewClient(r.client)
	ends, err1 := admin.ListEndOffsets(context.Background(), topic)
	stable, err2 := admin.ListCommittedOffsets(context.Background(), topic)
	if err := errors.Join(err1, err2); err != nil {
		return err.Error()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out strings.Builder
	for _, end := range ends.Offsets().Sorted() {
		last, _ := stable.Lookup(topic, end.Partition)
		fmt.Fprintf(&out, " dispositions partition %d: end %d, stable to %d, read to %d;", end.Partition, end.At, last.Offset, r.next[topic][end.Partition])
	}
	return out.String()
}

func (r *reader) snapshot() map[position]*kgo.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[position]*kgo.Record, len(r.records))
	for at, record := range r.records {
		out[at] = record
	}
	return out
}

func rawOf(p *kycv1.RawPosition) position {
	return position{p.GetTopic(), p.GetPartition(), p.GetOffset()}
}

// decode reads the value of a record as the message its topic promises.
func decode[M proto.Message](t testing.TB, record *kgo.Record) M {
	topic := topicOf(record.Topic)
	if topic.Message == nil {
		t.Fatalf("record from %s, a topic the catalogue does not know", record.Topic)
	}
	message, err := contract.Decode(nil, topic, record.Value)
	if err != nil {
		t.Fatalf("%s/%d@%d: %v", record.Topic, record.Partition, record.Offset, err)
	}
	typed, ok := message.(M)
	if !ok {
		t.Fatalf("%s carries %T", record.Topic, message)
	}
	return typed
}
