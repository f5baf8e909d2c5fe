package sink

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// foreign writes to the raw topic's partition 0 as another producer would.
type foreign struct {
	*testing.T
	o Options
}

// good writes one record that can be read.
func (f foreign) good(key string) {
	f.Helper()
	f.produce(&kgo.Record{Key: []byte(key), Value: encoded(envelope(0))})
}

// bomb writes one record that unpacks to more than the limit.
func (f foreign) bomb() {
	f.Helper()
	f.produce(&kgo.Record{Key: []byte("bomb"), Value: bytes.Repeat([]byte{0}, maxDecompressBytes+1)},
		kgo.ProducerBatchMaxBytes(100<<20), kgo.MaxBufferedBytes(200<<20), kgo.ProducerBatchCompression(kgo.GzipCompression()))
}

func (f foreign) produce(r *kgo.Record, opts ...kgo.Opt) {
	f.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(f.o.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		f.Fatal(err)
	}
	defer client.Close()
	r.Topic = f.o.Topic(schemas.Raw)
	if err := client.ProduceSync(testContext(f.T), r).FirstErr(); err != nil {
		f.Fatal(err)
	}
}

// garbage writes a batch of so many records that claims to be gzip, and is not.
func (f foreign) garbage(records int32) {
	f.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(f.o.Brokers...))
	if err != nil {
		f.Fatal(err)
	}
	defer client.Close()
	found, err := lookup(testContext(f.T), client, f.o.Topic(schemas.Raw))
	if err != nil {
		f.Fatal(err)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 5000
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic, topic.TopicID = found.name, found.id
	partition := kmsg.NewProduceRequestTopicPartition()
	partition.Records = rawBatch(records)
	topic.Partitions = append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)
	answer, err := client.Broker(int(found.leaders[0])).Request(testContext(f.T), req)
	if err == nil {
		err = kerr.ErrorForCode(answer.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		f.Fatal(err)
	}
}

// rawBatch is a batch in form alone.
func rawBatch(records int32) []byte {
	b := kmsg.RecordBatch{Magic: 2, Attributes: 1, LastOffsetDelta: records - 1, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		PartitionLeaderEpoch: -1, NumRecords: records, Records: []byte("this is not gzip at all")}
	raw := b.AppendTo(nil)
	b.Length = int32(len(raw) - 12)
	raw = b.AppendTo(nil)
	b.CRC = int32(crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b.AppendTo(nil)
}

// disposed are the offsets of raw partition 0 that have a disposition, in its order.
func disposed(t *testing.T, o Options) (offsets []int64) {
	t.Helper()
	for _, r := range readAll(t, o, schemas.DispositionTopic) {
		if raw := decode(t, r, &kycv1.Disposition{}).Raw; raw.Partition == 0 {
			offsets = append(offsets, raw.Offset)
		}
	}
	return offsets
}

// upTo is the offsets below n.
func upTo(n int64) (all []int64) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// A batch that cannot be read holds nobody up: each offset of it is handed out once, in
// order, as a record that nobody can decode, and what is behind it is read.
func TestBatchThatCannotBeReadIsPassedOver(t *testing.T) {
	_, o := fake(t)
	f := foreign{t, o}
	f.garbage(3) // as the first of all
	f.good("a")
	f.garbage(1200) // more than one poll hands out
	f.bomb()
	f.garbage(2)
	f.good("b")
	const total = 3 + 1 + 1200 + 1 + 2 + 1
	s := openSession(t, o, slot())
	good := map[int64]bool{3: true, total - 1: true}
	var next int64
	for next < total {
		batch, err := s.Poll(testContext(t), 1000)
		switch {
		case errors.Is(err, errBehindGap) && errors.Is(err, ErrBroken):
			s.Close()
			s = openSession(t, o, slot())
			continue
		case err != nil:
			t.Fatal(err)
		case len(batch) == 0:
			continue
		}
		for i, r := range batch {
			if r.Offset != next+int64(i) {
				t.Fatalf("offset %d, want %d", r.Offset, next+int64(i))
			}
			err := proto.Unmarshal(r.Value, &kycv1.RawEnvelope{})
			if (err == nil) != good[r.Offset] || (RecordOf(r).Header(UnreadableHeader) == "") != good[r.Offset] || len(r.Key) == 0 {
				t.Fatalf("offset %d: key %q, value %.40q, headers %v", r.Offset, r.Key, r.Value, r.Headers)
			}
		}
		ok, err := s.Commit(testContext(t), outputs(batch))
		if err != nil || !ok {
			t.Fatalf("Commit: %t, %v, %v", ok, err, s.AbortReason())
		}
		next += int64(len(batch))
		at, err := openReader(t, o).Committed(testContext(t), slot().Group, schemas.Raw)
		if err != nil || at[0] != next {
			t.Fatalf("committed %v, %v, want %d", at, err, next)
		}
	}
	if got := disposed(t, o); !slices.Equal(got, upTo(total)) {
		t.Errorf("%d dispositions, want one for each of %d offsets", len(got), total)
	}
}

// A real broker takes a batch that unpacks to any size.
func TestBatchThatUnpacksTooFarIsPassedOver(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		f := foreign{t, o}
		f.good("a")
		s := openSession(t, o, slot())
		drain(t, s, 1)
		f.bomb()
		f.good("b")
		drain(t, s, 2)
		if got := disposed(t, o); !slices.Equal(got, upTo(3)) {
			t.Errorf("dispositions of %v, want each of 0 to 2 once", got)
		}
		at, err := openReader(t, o).Committed(testContext(t), slot().Group, schemas.Raw)
		if err != nil || at[0] != 3 {
			t.Errorf("committed %v, %v, want 3", at, err)
		}
	})
}

// What was given back comes again, before the batch that cannot be read and of it.
func TestPassedOverBatchIsGivenAgain(t *testing.T) {
	cluster, o := fake(t)
	f := foreign{t, o}
	f.good("a")
	f.garbage(3)
	f.good("b")
	s := openSession(t, o, slot())
	var offsets []int64
	for round := 0; len(offsets) < 5; round++ {
		batch := pollSome(t, s)
		switch round % 3 {
		case 0:
			if err := s.Rewind(testContext(t)); err != nil {
				t.Fatal(err)
			}
			continue
		case 1:
			fault := cluster.Fault(kfakeRefusal(o))
			ok, err := s.Commit(testContext(t), outputs(batch))
			fault.Remove()
			if ok || err != nil {
				t.Fatalf("Commit of what is refused: %t, %v", ok, err)
			}
			continue
		}
		if ok, err := s.Commit(testContext(t), outputs(batch)); err != nil || !ok {
			t.Fatalf("Commit: %t, %v, %v", ok, err, s.AbortReason())
		}
		for _, r := range batch {
			offsets = append(offsets, r.Offset)
		}
	}
	if !slices.Equal(offsets, upTo(5)) || !slices.Equal(disposed(t, o), upTo(5)) {
		t.Errorf("offsets %v with dispositions %v, want 0 to 4 once", offsets, disposed(t, o))
	}
}

// The offsets of such a batch are in the transaction: a slot that lost its place commits
// nothing of it.
func TestPassedOverBatchOfALostPlaceIsNotCommitted(t *testing.T) {
	_, o := fake(t)
	foreign{t, o}.garbage(3)
	first := openSession(t, o, slot())
	batch := pollSome(t, first)
	if err := first.leave(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if ok, err := first.Commit(testContext(t), outputs(batch)); ok {
		t.Fatalf("Commit without a place in the group: %t, %v", ok, err)
	}
	second := openSession(t, o, second(slot()))
	drain(t, second, 3)
	if got := disposed(t, o); !slices.Equal(got, upTo(3)) {
		t.Errorf("dispositions of %v, want each of 0 to 2 once", got)
	}
}

func TestScanPassesABatchThatCannotBeRead(t *testing.T) {
	_, o := fake(t)
	f := foreign{t, o}
	f.good("a")
	f.bomb()
	f.garbage(700)
	f.good("b")
	var next int64
	end, err := openReader(t, o).Scan(testContext(t), schemas.Raw, 0, record.ScanFrom{}, func(r *kgo.Record) error {
		if r.Offset != next {
			return fmt.Errorf("offset %d, want %d", r.Offset, next)
		}
		next++
		return nil
	})
	if err != nil || end != 703 || next != 703 {
		t.Errorf("Scan: up to %d, %d shown, %v, want 703", end, next, err)
	}
}

// The header of a batch may be what is spoilt: no more is passed over than is certain.
func TestGapIn(t *testing.T) {
	batch := func(base int64, records int32) []byte {
		raw := rawBatch(records)
		binary.BigEndian.PutUint64(raw, uint64(base))
		return raw
	}
	spoil := func(raw []byte, at int, value byte) []byte { raw = slices.Clone(raw); raw[at] = value; return raw }
	why := errors.New("why")
	tests := []struct {
		name     string
		batches  []byte
		position int64
		high     int64
		want     int64 // the next offset; 0: none is found
	}{
		{"alone", batch(10, 3), 10, 20, 13},
		{"from the middle", batch(10, 3), 11, 20, 13},
		{"before another", append(batch(10, 3), batch(13, 1)...), 10, 20, 13},
		{"a length that lies", spoil(batch(10, 3), batchLastDelta, 1), 10, 20, 20},
		{"a length that lies before another", append(spoil(batch(10, 3), batchLastDelta, 1), batch(13, 1)...), 10, 20, 13},
		{"another format", spoil(batch(10, 3), batchMagic, 9), 10, 20, 11},
		{"a negative length", spoil(batch(10, 3), batchLastDelta, 0xff), 10, 20, 11},
		{"a batch of other offsets", batch(100, 3), 10, 20, 11},
		{"no batch", nil, 10, 20, 0},
		{"the end of the log", batch(10, 3), 20, 20, 0},
	}
	for _, test := range tests {
		answer := kmsg.NewFetchResponseTopicPartition()
		answer.RecordBatches, answer.HighWatermark = test.batches, test.high
		g, ok := gapIn(&answer, test.position, why)
		if ok != (test.want != 0) || ok && (g.from != test.position || g.next != test.want) {
			t.Errorf("%s: %d to %d, %t, want up to %d", test.name, g.from, g.next, ok, test.want)
		}
	}
}

// kfakeRefusal refuses dispositions.
func kfakeRefusal(o Options) kfake.Fault {
	return kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: o.Topic(schemas.DispositionTopic), Err: kerr.MessageTooLarge, Count: -1}
}
