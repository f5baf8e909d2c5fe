package sink

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

// The expected partitions are those of Java's Utils.toPositive(murmur2(key)) % n,
// from the hashes in Kafka's own UtilsTest.
func TestPartitionerAgreesWithJava(t *testing.T) {
	hashes := map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
	}
	p := partitioner{}.ForTopic("t")
	for key, hash := range hashes {
		for _, n := range []int{1, 2, 12, 100} {
			want := int(hash&0x7fffffff) % n
			if got := p.Partition(&kgo.Record{Key: []byte(key), Partition: record.ByKey}, n); got != want {
				t.Errorf("%s in %d partitions: %d, want %d", key, n, got, want)
			}
		}
	}
	for named := range int32(5) {
		if got := p.Partition(&kgo.Record{Key: []byte("21"), Partition: named}, 12); got != int(named) {
			t.Errorf("named partition %d became %d", named, got)
		}
	}
	if !p.RequiresConsistency(&kgo.Record{}) {
		t.Error("a record may move while its partition has no leader")
	}
}

func TestRecordsKeepWhatTheyAreGiven(t *testing.T) {
	out := []record.Outgoing{
		{Topic: schemas.Session, Key: []byte("k"), Value: []byte("event"), Partition: record.ByKey, Headers: []record.Header{{Key: "a", Value: []byte("1")}, {Key: "b"}}},
		{Topic: schemas.DispositionTopic, Key: []byte("k"), Value: []byte("disposition"), Partition: 3, Headers: []record.Header{{Key: "c", Value: []byte("2")}}},
		{Topic: schemas.Session, Key: []byte("l"), Value: []byte("another")},
	}
	records, err := Options{TopicPrefix: "x."}.records(out)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range records {
		if r.Topic != "x."+out[i].Topic || r.Partition != out[i].Partition || string(r.Key) != string(out[i].Key) || string(r.Value) != string(out[i].Value) || len(r.Headers) != len(out[i].Headers) {
			t.Errorf("record %d is %+v, want what %+v says", i, r, out[i])
		}
		for n, h := range r.Headers {
			if h.Key != out[i].Headers[n].Key || string(h.Value) != string(out[i].Headers[n].Value) {
				t.Errorf("header %d of record %d is %s, want %s", n, i, h.Key, out[i].Headers[n].Key)
			}
		}
	}
}

func TestRecordWithoutKeyIsRefused(t *testing.T) {
	if _, err := (Options{}).records([]record.Outgoing{{Topic: schemas.Session, Value: []byte("v")}}); err == nil {
		t.Error("a record without a key was taken: it would go to any partition")
	}
}
