package sink

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// outputs gives an event and a disposition for each record of a batch.
func outputs(batch []*kgo.Record) []record.Outgoing {
	var out []record.Outgoing
	for _, r := range batch {
		out = append(out, sessionEvent(fmt.Sprintf("%d-%d", r.Partition, r.Offset)), disposition(r.Partition, r.Offset))
	}
	return out
}

// drain polls and commits until n records are committed.
func drain(t *testing.T, s *Session, n int) {
	t.Helper()
	for n > 0 {
		batch := pollSome(t, s)
		committed, err := s.Commit(testContext(t), outputs(batch))
		if err != nil {
			t.Fatal(err)
		}
		if committed {
			n -= len(batch)
		}
	}
}

func TestCommitWritesOutputsAndOffsetsTogether(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		appendRaw(t, o, 20)
		s := openSession(t, o, slot())
		drain(t, s, 20)
		if n := len(readAll(t, o, schemas.Session)); n != 20 {
			t.Errorf("%d events, want 20", n)
		}
		for _, r := range readAll(t, o, schemas.DispositionTopic) {
			if raw := decode(t, r, &kycv1.Disposition{}).Raw; raw.Partition != r.Partition {
				t.Errorf("disposition of raw partition %d is in partition %d", raw.Partition, r.Partition)
			}
		}
		reader := openReader(t, o)
		ends, err := reader.Ends(testContext(t), schemas.Raw)
		if err != nil {
			t.Fatal(err)
		}
		committed, err := reader.Committed(testContext(t), slot().Group, schemas.Raw)
		if err != nil {
			t.Fatal(err)
		}
		for p, end := range ends {
			if committed[p] != end {
				t.Errorf("partition %d: committed %d, want the end %d", p, committed[p], end)
			}
		}
	})
}

func TestCommitSetsOffsets(t *testing.T) {
	_, o := fake(t)
	appendRaw(t, o, 1)
	s := openSession(t, o, slot())
	batch := pollSome(t, s)
	out := []record.Outgoing{disposition(1, 0), disposition(1, 1), sessionEvent("a")}
	if ok, err := s.Commit(testContext(t), out); err != nil || !ok {
		t.Fatalf("Commit: %t, %v (batch of %d)", ok, err, len(batch))
	}
	if out[0].Offset != 0 || out[1].Offset != 1 {
		t.Errorf("offsets %d and %d, want 0 and 1", out[0].Offset, out[1].Offset)
	}
	id, other := s.TopicID(), TopicID{}
	if id == other {
		t.Error("the input topic has no id")
	}
}

func TestPollGivesPartitionsInOffsetOrder(t *testing.T) {
	_, o := fake(t)
	appendRaw(t, o, 50)
	s := openSession(t, o, slot())
	last := map[int32]int64{}
	for n := 0; n < 50; {
		batch := pollSome(t, s)
		for _, r := range batch {
			if want := last[r.Partition]; r.Offset != want {
				t.Fatalf("partition %d: offset %d, want %d", r.Partition, r.Offset, want)
			}
			last[r.Partition]++
		}
		n += len(batch)
		if _, err := s.Commit(testContext(t), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// One record of the transaction fails: nothing may be committed, not even the
// offset of the record whose output is missing.
func TestOneFailedRecordAbortsAll(t *testing.T) {
	cluster, o := fake(t)
	appendRaw(t, o, 4)
	s := openSession(t, o, slot())
	batch := pollSome(t, s)
	fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: o.Topic(schemas.DispositionTopic), Err: kerr.MessageTooLarge, Count: -1})
	committed, err := s.Commit(testContext(t), outputs(batch))
	if err != nil || committed {
		t.Fatalf("Commit: %t, %v, want an abort", committed, err)
	}
	if got := Classify(s.AbortReason()); got != ClassTooLarge {
		t.Errorf("AbortReason %v is %s, want %s", s.AbortReason(), got, ClassTooLarge)
	}
	assertNothingCommitted(t, o)
	fault.Remove()
	drain(t, s, 4)
	if n := len(readAll(t, o, schemas.Session)); n != 4 {
		t.Errorf("%d events after the retry, want 4", n)
	}
}

// The same without Commit's check: the library commits what succeeded and the
// offset with it. If this test fails the library has changed, and the check may
// be looked at again.
func TestLibraryCommitsPastAFailedRecord(t *testing.T) {
	cluster, o := fake(t)
	appendRaw(t, o, 4)
	s := openSession(t, o, slot())
	records, err := o.records(outputs(pollSome(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: o.Topic(schemas.DispositionTopic), Err: kerr.MessageTooLarge, Count: -1})
	if err := s.txn.Begin(); err != nil {
		t.Fatal(err)
	}
	failed, err := s.produce(testContext(t), records)
	if failed == nil || err != nil {
		t.Fatalf("produce: %v, %v, want a failed record", failed, err)
	}
	committed, err := s.end(testContext(t), nil) // nil: the check left out
	if err != nil || !committed {
		t.Fatalf("end without the check: %t, %v", committed, err)
	}
	if n := len(readAll(t, o, schemas.DispositionTopic)); n != 0 {
		t.Fatalf("%d dispositions", n)
	}
	at, err := openReader(t, o).Committed(testContext(t), slot().Group, schemas.Raw)
	if err != nil || len(at) == 0 {
		t.Errorf("committed offsets %v, %v: want the loss that the check prevents", at, err)
	}
}

func assertNothingCommitted(t *testing.T, o Options) {
	t.Helper()
	at, err := openReader(t, o).Committed(testContext(t), slot().Group, schemas.Raw)
	if err != nil || len(at) != 0 {
		t.Errorf("committed offsets %v, %v, want none", at, err)
	}
	for _, base := range []string{schemas.Session, schemas.DispositionTopic} {
		if n := len(readAll(t, o, base)); n != 0 {
			t.Errorf("%d records visible in %s", n, base)
		}
	}
}

func TestRewindGivesTheBatchAgain(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		appendRaw(t, o, 6)
		s := openSession(t, o, slot())
		for round := range 3 { // the first before any commit, the others after one
			first := pollSome(t, s)
			if _, err := s.Poll(testContext(t), 10); !errors.Is(err, ErrBatchOpen) {
				t.Fatalf("Poll with an open batch: %v, want ErrBatchOpen", err)
			}
			if err := s.Rewind(testContext(t)); err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for len(seen) < len(first) {
				batch := pollSome(t, s)
				for _, r := range batch {
					seen[fmt.Sprint(r.Partition, r.Offset)] = true
				}
				if ok, err := s.Commit(testContext(t), outputs(batch)); err != nil || !ok {
					t.Fatalf("Commit: %t, %v, %v", ok, err, s.AbortReason())
				}
			}
			for _, r := range first {
				if !seen[fmt.Sprint(r.Partition, r.Offset)] {
					t.Errorf("round %d: partition %d offset %d did not come again", round, r.Partition, r.Offset)
				}
			}
			appendRaw(t, o, 6)
		}
	})
}

func TestSecondSessionFencesTheFirst(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		appendRaw(t, o, 2)
		first := openSession(t, o, slot())
		batch := pollSome(t, first)
		second := openSession(t, o, slot())
		committed, err := first.Commit(testContext(t), outputs(batch))
		if committed || !errors.Is(err, ErrFenced) {
			t.Fatalf("Commit of the fenced session: %t, %v, want ErrFenced", committed, err)
		}
		if Classify(err) != ClassFenced || !strings.Contains(err.Error(), slot().TransactionalID) {
			t.Errorf("%v: class %s, want %s and the id in the text", err, Classify(err), ClassFenced)
		}
		if _, err := first.Poll(testContext(t), 1); !errors.Is(err, ErrBroken) {
			t.Errorf("Poll of the fenced session: %v, want ErrBroken", err)
		}
		first.Close()
		drain(t, second, 2)
		if n := len(readAll(t, o, schemas.Session)); n != 2 {
			t.Errorf("%d events, want 2", n)
		}
	})
}

// The fence may show in a record while the transaction could still be ended: the
// session is of no more use all the same.
func TestFencedRecordBreaksTheSession(t *testing.T) {
	cluster, o := fake(t)
	appendRaw(t, o, 2)
	s := openSession(t, o, slot())
	batch := pollSome(t, s)
	fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: o.Topic(schemas.DispositionTopic), Err: kerr.InvalidProducerEpoch, Count: -1})
	committed, err := s.Commit(testContext(t), outputs(batch))
	if committed || !errors.Is(err, ErrFenced) {
		t.Fatalf("Commit: %t, %v, want ErrFenced", committed, err)
	}
	fault.Remove()
	if _, err := s.Commit(testContext(t), outputs(batch)); !errors.Is(err, ErrBroken) {
		t.Errorf("the next Commit: %v, want ErrBroken", err)
	}
	assertNothingCommitted(t, o)
}

// A process that dies in the middle of a transaction leaves it open. Its
// successor under the same id ends it by opening, before it polls anything.
func TestSuccessorFreesReaders(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		appendRaw(t, o, 1)
		so := slot()
		so.TransactionTimeout = 5 * time.Minute // the time limit must not be what frees them
		dead := openSession(t, o, so)
		records := leaveOpen(t, dead, outputs(pollSome(t, dead)))
		reader := openReader(t, o)
		p := records[0].Partition
		listed, err := reader.admin.ListCommittedOffsets(testContext(t), o.Topic(schemas.Session))
		ends, err := offsets(o.Topic(schemas.Session), listed, err)
		if err != nil || ends[p] != 0 {
			t.Fatalf("stable ends %v, %v: the transaction is not open", ends, err)
		}
		held := func() int64 { return heldRecords(t, reader, schemas.Session, schemas.DispositionTopic) }
		if n := held(); n != int64(len(records)) {
			t.Errorf("%d records are held, want %d", n, len(records))
		}
		openSession(t, o, slot())
		// Returns only once the transaction is over, and shows none of it.
		next, err := reader.Scan(testContext(t), schemas.Session, p, record.ScanFrom{}, func(*kgo.Record) error {
			return errors.New("an aborted record is visible")
		})
		if err != nil || next < 1 {
			t.Fatalf("Scan: %d, %v", next, err)
		}
		if n := held(); n != 0 {
			t.Errorf("%d records are held after the transaction, want none", n)
		}
	})
}

func TestCommitMayExceedTheBuffer(t *testing.T) {
	_, o := fake(t)
	appendRaw(t, o, 1)
	s := openSession(t, o, slot())
	pollSome(t, s)
	var out []record.Outgoing
	for i := range 25_000 {
		out = append(out, sessionEvent(fmt.Sprint(i)))
	}
	if ok, err := s.Commit(testContext(t), out); err != nil || !ok {
		t.Fatalf("Commit: %t, %v", ok, err)
	}
}

// A broker that stops answering in the middle of a transaction: the outcome is
// unknown, so the session ends with an error, and its successor does the work.
func TestSilentBrokerEndsTheSession(t *testing.T) {
	cluster, o := fake(t)
	appendRaw(t, o, 1)
	so := slot()
	so.TransactionTimeout = 300 * time.Millisecond
	s := openSession(t, o, so)
	batch := pollSome(t, s)
	silent := true
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return nil, nil, silent
	})
	ctx := testContext(t)
	committed, err := s.Commit(ctx, outputs(batch))
	if committed || err == nil || ctx.Err() != nil {
		t.Fatalf("Commit: %t, %v, want an error while the caller still waits (%v)", committed, err, ctx.Err())
	}
	if err := s.Rewind(testContext(t)); !errors.Is(err, ErrBroken) {
		t.Errorf("Rewind: %v, want ErrBroken", err)
	}
	s.Close()
	cluster.Control(func(kmsg.Request) (kmsg.Response, error, bool) { // on the broker's goroutine
		silent = false
		return nil, nil, false
	})
	next := openSession(t, o, slot())
	drain(t, next, 1)
	if n := len(readAll(t, o, schemas.Session)); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

// Aborted records of the input, such as those of a replay that was cut off, are
// never processed.
func TestPollGivesCommittedRecordsOnly(t *testing.T) {
	_, o := fake(t)
	transaction(t, o, "a", 2, &abort)
	transaction(t, o, "b", 1, &commit)
	so := slot()
	so.Input = schemas.DispositionTopic
	batch := pollSome(t, openSession(t, o, so))
	if len(batch) != 1 || string(batch[0].Value) != "b-0" {
		t.Errorf("%d records, the first %q, want b-0 alone", len(batch), batch[0].Value)
	}
}

// Sessions come and go while others work: every raw record gets one disposition.
func TestRebalancesKeepEachRecordOnce(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		const total = 300
		appendRaw(t, o, total)
		var done atomic.Int32
		work := func(id string, limit int32) {
			so := slot()
			so.TransactionalID, so.Heartbeat = id, 50*time.Millisecond
			s := openSession(t, o, so)
			defer s.Close()
			ctx := testContext(t)
			for n := int32(0); n < limit && ctx.Err() == nil && done.Load() < total; {
				short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				batch, err := s.Poll(short, 7)
				cancel()
				if err != nil {
					t.Error(err)
					return
				}
				ok, err := s.Commit(ctx, outputs(batch))
				if err != nil {
					t.Error(err)
					return
				}
				if ok {
					n += int32(len(batch))
					done.Add(int32(len(batch)))
				}
			}
		}
		var all sync.WaitGroup
		all.Go(func() { work("stays", total) })
		all.Go(func() {
			for i := range 5 {
				work(fmt.Sprintf("comes-%d", i), 14)
			}
		})
		all.Wait()
		if done.Load() != total {
			t.Fatalf("%d of %d records done", done.Load(), total)
		}
		seen := map[string]int{}
		for _, r := range readAll(t, o, schemas.DispositionTopic) {
			raw := decode(t, r, &kycv1.Disposition{}).Raw
			seen[fmt.Sprint(raw.Partition, raw.Offset)]++
		}
		for at, n := range seen {
			if n != 1 {
				t.Errorf("raw record %s has %d dispositions", at, n)
			}
		}
		if len(seen) != total {
			t.Errorf("%d raw records have a disposition, want %d", len(seen), total)
		}
	})
}

// Records that come together with an error are not dropped: the error follows.
func TestPollErrorsNameTheirPlace(t *testing.T) {
	s := &Session{input: located{name: "kyc.raw.v1", id: TopicID{1}}}
	fetch := func(id TopicID, err error) kgo.Fetches {
		return kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "kyc.raw.v1", TopicID: id, Partitions: []kgo.FetchPartition{{Partition: 3, Err: err}}}}}}
	}
	err := s.fetchError(t.Context(), fetch(TopicID{1}, &kgo.ErrDataLoss{Topic: "kyc.raw.v1"}))
	if Classify(err) != ClassDataLoss || !strings.Contains(err.Error(), "kyc.raw.v1 partition 3") || s.broken != nil {
		t.Errorf("data loss: %v, broken %v", err, s.broken)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.fetchError(ended, kgo.NewErrFetch(ended.Err())); err != nil {
		t.Errorf("ended context: %v", err)
	}
	if err := s.fetchError(t.Context(), fetch(TopicID{2}, nil)); !errors.Is(err, ErrTopicChanged) {
		t.Errorf("another topic id: %v, want ErrTopicChanged", err)
	}
}

func TestRecreatedInputIsAnError(t *testing.T) {
	cluster, o := fake(t)
	appendRaw(t, o, 1)
	s := openSession(t, o, slot())
	drain(t, s, 1)
	raw := o.Topic(schemas.Raw)
	if err := cluster.DeleteTopic(raw); err != nil {
		t.Fatal(err)
	}
	if err := cluster.CreateTopic(raw, 2, nil); err != nil {
		t.Fatal(err)
	}
	for ctx := testContext(t); ctx.Err() == nil; {
		_, err := s.Poll(ctx, 10)
		if errors.Is(err, ErrTopicChanged) {
			if !strings.Contains(err.Error(), raw) {
				t.Errorf("%v does not name the topic", err)
			}
			return
		}
	}
	t.Fatal("the new topic was taken for the old one")
}

func TestSessionRefusesAMissingTopic(t *testing.T) {
	cluster, o := fake(t)
	if err := cluster.DeleteTopic(o.Topic(schemas.Raw)); err != nil {
		t.Fatal(err)
	}
	_, err := OpenSession(testContext(t), o, slot())
	if Classify(err) != ClassUnknownTopic || !strings.Contains(err.Error(), CreateCommand) {
		t.Errorf("%v: want an error that names the command", err)
	}
}

func TestOwnershipReportsSwallowedRevocations(t *testing.T) {
	var told []string
	w := newOwnership("in", SessionOptions{
		OnAssigned: func(p []int32) { told = append(told, fmt.Sprint("+", p)) },
		OnRevoked:  func(p []int32) { told = append(told, fmt.Sprint("-", p)) },
	})
	w.assigned(t.Context(), nil, map[string][]int32{"in": {1, 0}, "other": {7}})
	w.gone(t.Context(), nil, map[string][]int32{"in": {1}})
	// The library swallowed the revocation of 0.
	w.assigned(t.Context(), nil, map[string][]int32{"in": {0, 1}})
	w.gone(t.Context(), nil, map[string][]int32{})
	// Nor does it tell that 1 goes now, but the group's next generation does.
	w.holds([]int32{0, 2})
	w.gone(t.Context(), nil, map[string][]int32{"in": {1}})
	want := "+[0 1],-[1],-[0],+[0 1],-[1]"
	if got := strings.Join(told, ","); got != want {
		t.Errorf("told %s, want %s", got, want)
	}
}
