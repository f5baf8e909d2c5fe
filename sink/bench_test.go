package sink

import (
	"testing"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

// BenchmarkRecords makes the client's records of one delivery: an event with its headers, and its
// disposition.
func BenchmarkRecords(b *testing.B) {
	key := []byte("shop/5ed3918fbf06f30008e552c9")
	headers := make([]record.Header, 9)
	for i := range headers {
		headers[i] = record.Header{Key: "ce_specversion", Value: []byte("1.0")}
	}
	out := []record.Outgoing{
		{Topic: schemas.Session, Key: key, Value: make([]byte, 400), Partition: record.ByKey, Headers: headers},
		{Topic: schemas.DispositionTopic, Key: key, Value: make([]byte, 300), Partition: 3, Headers: headers[:1]},
	}
	o := Options{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.records(out); err != nil {
			b.Fatal(err)
		}
	}
}
