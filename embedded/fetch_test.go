package embedded

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A reader that takes little at a time sees nothing of an aborted transaction.
func TestAbortedRecordsStayHiddenInSmallAnswers(t *testing.T) {
	s := start(t, t.TempDir())
	ctx := testContext(t)
	writer := newClient(t, s.Brokers()[0], kgo.TransactionalID("small-answers"), kgo.ProducerBatchMaxBytes(4<<10), kgo.ProducerBatchCompression(kgo.NoCompression()))
	for _, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		if err := writer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		value := bytes.Repeat([]byte{'a'}, 1000)
		if end == kgo.TryCommit {
			value = bytes.Repeat([]byte{'c'}, 1000)
		}
		for range 50 {
			writer.Produce(ctx, &kgo.Record{Topic: "in", Partition: 0, Value: value}, nil)
		}
		if err := writer.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if err := writer.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
	reader := newClient(t, s.Brokers()[0], kgo.ConsumeTopics("in"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxBytes(6<<10), kgo.FetchMaxPartitionBytes(5<<10))
	for seen := 0; seen < 50; {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if seen++; r.Value[0] != 'c' {
				t.Fatalf("record %d of partition %d is of an aborted transaction", r.Offset, r.Partition)
			}
		})
	}
}
