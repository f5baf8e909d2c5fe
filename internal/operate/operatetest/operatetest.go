// Package operatetest is what tests of package operate and of the commands over it stand
// on: a broker in the test's process, and records that say what the stages would have
// said about a few deliveries. It knows no vendor's mapping, and says nothing about what
// must be found.
package operatetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/embedded/repair"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// Broker is a broker in the test's process whose topics are filled by hand.
type Broker struct {
	Cluster *kfake.Cluster
	Kafka   sink.Options
	Reader  *sink.Reader

	t      testing.TB
	client *kgo.Client
}

// Start starts a broker with all topics, of two partitions each, until the test ends.
func Start(t testing.TB) *Broker {
	t.Helper()
	b := &Broker{t: t}
	var names []string
	for _, topic := range schemas.Topics() {
		names = append(names, b.Kafka.Topic(topic.Base))
	}
	var err error
	if b.Cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, names...)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Cluster.Close)
	repair.Fetch(b.Cluster)
	b.Kafka.Brokers = b.Cluster.ListenAddrs()
	if b.client, err = kgo.NewClient(kgo.SeedBrokers(b.Kafka.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.client.Close)
	if b.Reader, err = sink.OpenReader(t.Context(), b.Kafka); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Reader.Close)
	return b
}

// Addr is host:port.
func (b *Broker) Addr() string { return b.Kafka.Brokers[0] }

// Record is one to write: of all, Key is the key and 1 the partition.
type Record struct {
	Message proto.Message
	Value   []byte // what stands in its place; nil: the message, encoded
	Headers []kgo.RecordHeader
	Time    time.Time // zero: now
}

// Write writes records, in order.
func (b *Broker) Write(all ...Record) {
	b.t.Helper()
	var out []*kgo.Record
	for _, r := range all {
		topic, ok := schemas.TopicFor(r.Message)
		value, err := r.Value, error(nil)
		if value == nil {
			value, err = contract.Marshal(r.Message)
		}
		if !ok || err != nil {
			b.t.Fatalf("%T cannot be written: %v", r.Message, err)
		}
		out = append(out, &kgo.Record{Topic: b.Kafka.Topic(topic.Base), Key: []byte(Key), Partition: 1, Value: value, Headers: r.Headers, Timestamp: r.Time})
	}
	if err := b.client.ProduceSync(b.t.Context(), out...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

// Processed commits what the normaliser would have.
func (b *Broker) Processed(partition int32, next int64) {
	b.t.Helper()
	if err := b.Reader.Commit(b.t.Context(), normalize.DefaultGroup, schemas.Raw, map[int32]int64{partition: next}); err != nil {
		b.t.Fatal(err)
	}
}

// Key is that of all records.
const Key = "shop/subject-1"

// DeliveryID is ours of the n-th delivery. All are in raw partition 1, which gives the n-th one offset n.
func DeliveryID(n int) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "delivery", n)).String()
}

// EventID is that of the n-th delivery's event.
func EventID(n int) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "event", n)).String()
}

func trace(n int) []kgo.RecordHeader {
	return []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-" + strings.ReplaceAll(DeliveryID(n), "-", "") + "-0102030405060708-01")}}
}

// Raw is the n-th delivery.
func Raw(n int) Record {
	return Record{Message: &kycv1.RawEnvelope{
		Provider: "complycube", Endpoint: "shop", Tenant: "default", DeliveryId: DeliveryID(n), ReceivedAt: timestamppb.New(at(n)), Body: []byte(`{"name":"CANARY"}`),
		Environment: kycv1.Environment_ENVIRONMENT_LIVE, Method: "POST",
	}}
}

func at(n int) time.Time {
	return time.Date(2026, 1, 2, 12, 0, n, 0, time.UTC)
}

// Disposed is the normaliser's disposition of the n-th delivery.
func (b *Broker) Disposed(n int, kind kycv1.DispositionKind) Record {
	b.t.Helper()
	_, id, err := b.Reader.Partitions(b.t.Context(), schemas.Raw)
	if err != nil {
		b.t.Fatal(err)
	}
	d := &kycv1.Disposition{
		Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 1, Offset: int64(n)}, RawTopicId: id[:], Kind: kind, Stage: kycv1.Stage_STAGE_NORMALIZE,
		Provider: "complycube", Endpoint: "shop", Tenant: "default", VendorEventId: fmt.Sprintf("vendor-%d", n), VendorEventType: "check.completed", MapperVersion: "complycube/1",
		ReceivedAt: timestamppb.New(at(n)), DecidedAt: timestamppb.New(at(n).Add(40 * time.Millisecond)),
	}
	switch kind {
	case kycv1.DispositionKind_DISPOSITION_KIND_EMITTED:
		d.EventIds = []string{EventID(n)}
	case kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE:
		d.VendorEventId = "vendor-0"
		d.DuplicateOf = &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 1, Offset: 0}
	case kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED:
		d.Reason = kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED
	}
	return Record{Message: d, Headers: trace(n)}
}

// Checked is the n-th delivery's event.
func Checked(n int) Record {
	return Record{Headers: trace(n), Message: &kycv1.CheckEvent{
		Kind: kycv1.CheckKind_CHECK_KIND_DOCUMENT, Result: kycv1.CheckResult_CHECK_RESULT_PASSED, VendorResult: "clear",
		Metadata: &kycv1.EventMetadata{
			EventId: EventID(n), Provider: "complycube", Endpoint: "shop", Tenant: "default", VendorEventId: fmt.Sprintf("vendor-%d", n), VendorEventType: "check.completed",
			Subject: &kycv1.Subject{CheckId: "subject-1", SessionId: "session-1"}, Raw: &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 1, Offset: int64(n)},
			ReceivedAt: timestamppb.New(at(n)), OccurredAt: timestamppb.New(at(n).Add(-time.Second)), Hydration: kycv1.Hydration_HYDRATION_NOT_NEEDED,
		},
	}}
}

// Buried is the n-th delivery's dead letter.
func Buried(n int) Record {
	return Record{Headers: trace(n), Message: &kycv1.DeadLetter{
		Raw:    &kycv1.RawPosition{Topic: "kyc.raw.v1", Partition: 1, Offset: int64(n)},
		Reason: kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNMAPPED, Stage: "map", Field: "type", Detail: "no mapping for this event type", Attempts: 1,
		Envelope: Raw(n).Message.(*kycv1.RawEnvelope),
	}}
}

// Kinds of dispositions.
const (
	Emitted   = kycv1.DispositionKind_DISPOSITION_KIND_EMITTED
	Duplicate = kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE
	Dead      = kycv1.DispositionKind_DISPOSITION_KIND_DEAD_LETTERED
	Hydrating = kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING
)

// Sound writes an event, its duplicate and a dead letter, at raw offsets 0, 1 and 2.
func (b *Broker) Sound() {
	b.t.Helper()
	b.Write(Raw(0), Raw(1), Raw(2), Checked(0), Buried(2))
	b.Write(b.Disposed(0, Emitted), b.Disposed(1, Duplicate), b.Disposed(2, Dead))
	b.Processed(1, 3)
}
