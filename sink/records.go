package sink

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
)

// RecordOf converts a record of the client.
func RecordOf(r *kgo.Record) record.Record {
	out := record.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp, Key: r.Key, Value: r.Value}
	if len(r.Headers) > 0 {
		out.Headers = make([]record.Header, len(r.Headers))
	}
	for i, h := range r.Headers {
		out.Headers[i] = record.Header(h)
	}
	return out
}

// ScanRecords is Scan without the client's types.
func (r *Reader) ScanRecords(ctx context.Context, base string, partition int32, from record.ScanFrom, fn func(record.Record) error) (next int64, err error) {
	return r.Scan(ctx, base, partition, from, func(one *kgo.Record) error { return fn(RecordOf(one)) })
}

// PartitionOf is where a record goes that its key sends to one of so many partitions.
func PartitionOf(key string, partitions int32) int32 {
	topic := partitioner{}.ForTopic("")
	return int32(topic.Partition(&kgo.Record{Key: []byte(key), Partition: record.ByKey}, int(partitions)))
}
