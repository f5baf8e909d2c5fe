package sink

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
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
			if got := p.Partition(&kgo.Record{Key: []byte(key), Partition: byKey}, n); got != want {
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

func TestEncodeChoosesTheTopicByMessage(t *testing.T) {
	o := Options{TopicPrefix: "x."}
	for _, topic := range schemas.Topics() {
		if topic.Base == schemas.HydrateWait {
			continue // shares its message with the hydrate topic
		}
		records, err := o.encode([]*record.Outgoing{{Message: topic.New(), Key: []byte("k"), Partition: 3}})
		if err != nil {
			t.Fatal(err)
		}
		if records[0].Topic != "x."+topic.Base || records[0].Partition != 3 {
			t.Errorf("%s went to %s partition %d", topic.Base, records[0].Topic, records[0].Partition)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	tests := map[string]*record.Outgoing{
		"a message without topic": {Message: &emptypb.Empty{}, Key: []byte("k")},
		"no message":              {Key: []byte("k")},
		"no key":                  {Message: &kycv1.Disposition{}},
		"text that is no UTF-8":   {Message: &kycv1.Disposition{Tenant: "\xff"}, Key: []byte("k")},
	}
	for name, item := range tests {
		if _, err := (Options{}).encode([]*record.Outgoing{item}); err == nil {
			t.Errorf("%s was encoded", name)
		}
	}
}
