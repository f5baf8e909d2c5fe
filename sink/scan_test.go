package sink

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

// transaction writes records under an id and ends the transaction, or leaves it
// open.
func transaction(t *testing.T, o Options, id string, n int, end *kgo.TransactionEndTry) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(o.client(kgo.TransactionalID(id))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		r := &kgo.Record{Topic: o.Topic(schemas.DispositionTopic), Partition: 0, Key: []byte("k"), Value: fmt.Appendf(nil, "%s-%d", id, i)}
		if err := client.ProduceSync(testContext(t), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if end != nil {
		if err := client.EndTransaction(testContext(t), *end); err != nil {
			t.Fatal(err)
		}
	}
	return client
}

func scanValues(t *testing.T, r *Reader, from record.ScanFrom) ([]string, int64) {
	t.Helper()
	var values []string
	next, err := r.Scan(testContext(t), schemas.DispositionTopic, 0, from, func(rec *kgo.Record) error {
		values = append(values, string(rec.Value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return values, next
}

// waitForEnd waits until the markers of ended transactions are written: a real
// broker does that after it has answered.
func waitForEnd(t *testing.T, r *Reader, end int64) {
	t.Helper()
	for ctx := testContext(t); ; {
		ends, err := r.Ends(ctx, schemas.DispositionTopic)
		if err != nil {
			t.Fatal(err)
		}
		if ends[0] == end {
			return
		}
	}
}

var abort, commit = kgo.TryAbort, kgo.TryCommit

func TestScanReachesTheEndPastAbortedTails(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		r := openReader(t, o)
		if values, next := scanValues(t, r, record.ScanFrom{}); next != 0 || len(values) != 0 {
			t.Errorf("empty log: %v, next %d", values, next)
		}
		transaction(t, o, "a", 2, &commit) // offsets 0 1, marker 2
		transaction(t, o, "b", 3, &abort)  // 3 4 5, marker 6
		waitForEnd(t, r, 7)
		values, next := scanValues(t, r, record.ScanFrom{})
		if want := []string{"a-0", "a-1"}; !slices.Equal(values, want) || next != 7 {
			t.Errorf("got %v, next %d, want %v, next 7", values, next, want)
		}
		for _, from := range []int64{1, 2, 3, 6, 7} {
			values, next := scanValues(t, r, record.ScanFrom{Offset: from})
			if want := max(0, 2-from); next != 7 || int64(len(values)) != want {
				t.Errorf("from %d: %v, next %d, want %d values, next 7", from, values, next, want)
			}
		}
	})
}

func TestScanWaitsForOpenTransactions(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		r := openReader(t, o)
		transaction(t, o, "a", 1, &commit)
		open := transaction(t, o, "b", 1, nil)
		transaction(t, o, "c", 1, &commit)
		waitForEnd(t, r, 5)
		first := make(chan struct{})
		var ending sync.WaitGroup
		defer ending.Wait()
		ending.Go(func() {
			<-first
			if err := open.EndTransaction(testContext(t), kgo.TryCommit); err != nil {
				t.Error(err)
			}
		})
		var values []string
		next, err := r.Scan(testContext(t), schemas.DispositionTopic, 0, record.ScanFrom{}, func(rec *kgo.Record) error {
			if values = append(values, string(rec.Value)); len(values) == 1 {
				close(first)
			}
			return nil
		})
		// 0 a, 1 marker, 2 b open, 3 c, 4 marker: the end is 5, b's marker is beyond.
		if want := []string{"a-0", "b-0", "c-0"}; err != nil || next != 5 || !slices.Equal(values, want) {
			t.Errorf("got %v, next %d, %v, want %v, next 5", values, next, err, want)
		}
	})
}

func TestScanStartsAtATime(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		client, err := kgo.NewClient(o.client()...)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		base := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
		for i := range 5 {
			r := &kgo.Record{Topic: o.Topic(schemas.DispositionTopic), Partition: 0, Key: []byte("k"),
				Value: fmt.Appendf(nil, "%d", i), Timestamp: base.Add(time.Duration(i) * time.Minute)}
			if err := client.ProduceSync(testContext(t), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		r := openReader(t, o)
		tests := []struct {
			at   time.Time
			want []string
		}{
			{base.Add(-time.Minute), []string{"0", "1", "2", "3", "4"}},
			{base.Add(3 * time.Minute), []string{"3", "4"}},
			{base.Add(3*time.Minute + time.Millisecond), []string{"4"}},
			{base.Add(time.Hour * 2), nil},
		}
		for _, test := range tests {
			if got, next := scanValues(t, r, record.ScanFrom{Time: test.at}); !slices.Equal(got, test.want) || next != 5 {
				t.Errorf("from %s: %v, next %d, want %v, next 5", test.at, got, next, test.want)
			}
		}
	})
}

func TestScanResumesAtTheLogStart(t *testing.T) {
	cluster, o := fake(t)
	transaction(t, o, "a", 4, &commit)
	if err := cluster.DeleteRecords(o.Topic(schemas.DispositionTopic), 0, 2); err != nil {
		t.Fatal(err)
	}
	values, next := scanValues(t, openReader(t, o), record.ScanFrom{Offset: 1})
	if want := []string{"a-2", "a-3"}; next != 5 || !slices.Equal(values, want) {
		t.Errorf("got %v, next %d, want %v, next 5", values, next, want)
	}
}

// What is written after the scan began is not shown, although the answer of the
// broker has it.
func TestScanStopsWhereTheEndWas(t *testing.T) {
	cluster, o := fake(t)
	transaction(t, o, "a", 2, &commit)
	r := openReader(t, o)
	begun, later := make(chan struct{}), make(chan struct{})
	var once sync.Once
	cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		once.Do(func() {
			close(begun)
			cluster.SleepControl(func() { <-later })
		})
		return nil, nil, false
	})
	var shown []int64
	var next int64
	ended := make(chan error)
	go func() {
		var err error
		next, err = r.Scan(testContext(t), schemas.DispositionTopic, 0, record.ScanFrom{}, func(rec *kgo.Record) error {
			shown = append(shown, rec.Offset)
			return nil
		})
		ended <- err
	}()
	<-begun
	transaction(t, o, "b", 2, &commit)
	close(later)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if want := []int64{0, 1}; !slices.Equal(shown, want) || next != 3 {
		t.Errorf("got offsets %v, next %d, want %v, next 3", shown, next, want)
	}
}

func TestScanEndsWithTheCallersError(t *testing.T) {
	_, o := fake(t)
	transaction(t, o, "a", 4, &commit)
	stop := errors.New("enough")
	next, err := openReader(t, o).Scan(testContext(t), schemas.DispositionTopic, 0, record.ScanFrom{}, func(rec *kgo.Record) error {
		if rec.Offset == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || next != 2 {
		t.Errorf("next %d, %v, want 2 and the caller's error", next, err)
	}
}

// A kill of the embedded broker leaves an open transaction without any marker;
// after its restart nothing will ever be written behind it.
func TestScanReachesTheEndWithoutAMarker(t *testing.T) {
	dir := t.TempDir()
	_, o := fake(t, kfake.DataDir(dir), kfake.SyncWrites())
	transaction(t, o, "a", 2, &commit)
	transaction(t, o, "b", 2, nil)
	killed := t.TempDir()
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil { // what a kill -9 leaves
		t.Fatal(err)
	}
	_, again := fake(t, kfake.DataDir(killed), kfake.SyncWrites())
	values, next := scanValues(t, openReader(t, again), record.ScanFrom{})
	if want := []string{"a-0", "a-1"}; !slices.Equal(values, want) || next != 5 {
		t.Errorf("got %v, next %d, want %v, next 5", values, next, want)
	}
}

func TestScanRidesThroughRefusals(t *testing.T) {
	cluster, o := fake(t)
	transaction(t, o, "a", 2, &commit)
	fault := cluster.Fault(
		kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition, Count: 2},
		kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.OffsetNotAvailable},
	)
	if values, _ := scanValues(t, openReader(t, o), record.ScanFrom{}); len(values) != 2 || fault.Hits() != 3 {
		t.Errorf("%v after %d refusals", values, fault.Hits())
	}
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.TopicAuthorizationFailed})
	_, err := openReader(t, o).Scan(testContext(t), schemas.DispositionTopic, 0, record.ScanFrom{}, func(*kgo.Record) error { return nil })
	if Classify(err) != ClassAuthorization {
		t.Errorf("not allowed: %v", err)
	}
}

func TestScanFollowsAMovedLeader(t *testing.T) {
	cluster, o := fake(t)
	transaction(t, o, "a", 3, &commit)
	node, _, err := cluster.AddNode(-1, 0)
	if err != nil {
		t.Fatal(err)
	}
	moved := false
	var values []string
	r := openReader(t, o)
	s, err := r.begin(testContext(t), schemas.DispositionTopic, 0, record.ScanFrom{})
	if err != nil {
		t.Fatal(err)
	}
	for s.position < s.end {
		if !moved {
			if err := cluster.MoveTopicPartition(s.topic.name, 0, node); err != nil {
				t.Fatal(err)
			}
			moved = true
		}
		records, err := s.fetch(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range records {
			values = append(values, string(rec.Value))
		}
		s.position = min(s.fetched, s.end)
	}
	if want := []string{"a-0", "a-1", "a-2"}; !slices.Equal(values, want) {
		t.Errorf("got %v, want %v", values, want)
	}
}

func TestScanRefusesUnknownPlaces(t *testing.T) {
	_, o := fake(t)
	r := openReader(t, o)
	none := func(*kgo.Record) error { return nil }
	if _, err := r.Scan(testContext(t), schemas.DispositionTopic, 9, record.ScanFrom{}, none); err == nil {
		t.Error("partition 9 of 2 was scanned")
	}
	if _, err := r.Scan(testContext(t), "nowhere", 0, record.ScanFrom{}, none); Classify(err) != ClassUnknownTopic {
		t.Errorf("unknown topic: %v", err)
	}
}
