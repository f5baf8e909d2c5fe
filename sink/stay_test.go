package sink

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

func gathering() SessionOptions {
	so := slot()
	so.Gather = true
	return so
}

// fill writes n records to partition 0 of the task topic and polls them.
func fill(t *testing.T, o Options, s *Session, n int) {
	t.Helper()
	w := openSession(t, o, SessionOptions{Group: "writer", TransactionalID: "writer", Input: schemas.Raw})
	out := make([]record.Outgoing, n)
	for i := range out {
		out[i] = record.Outgoing{Topic: schemas.Hydrate, Key: []byte("k"), Value: []byte("v"), Partition: 0}
	}
	if ok, err := w.Commit(testContext(t), out); err != nil || !ok {
		t.Fatalf("Commit: %t, %v", ok, err)
	}
	for n > 0 {
		n -= len(pollSome(t, s))
	}
}

func committedAt(t *testing.T, o Options) int64 {
	t.Helper()
	at, err := openReader(t, o).Committed(testContext(t), slot().Group, schemas.Hydrate)
	if err != nil {
		t.Fatal(err)
	}
	return at[0]
}

// The group's offset stays where it is told to, whatever was polled behind it, and moves also in a transaction that
// polled nothing. Reading goes on where it was; only a successor reads from there again.
func TestTheGroupStaysBeforeWhatIsOpen(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		so := gathering()
		so.Input = schemas.Hydrate
		s := openSession(t, o, so)
		fill(t, o, s, 5)
		for i, at := range []int64{2, 3} { // the second time nothing was polled
			s.StayAt(map[int32]int64{0: at})
			if ok, err := s.Commit(testContext(t), []record.Outgoing{disposition(0, int64(i))}); err != nil || !ok {
				t.Fatalf("Commit: %t, %v, %v", ok, err, s.AbortReason())
			}
			if got := committedAt(t, o); got != at {
				t.Errorf("commit %d leaves the group at %d, want %d", i, got, at)
			}
		}
		if n := len(readAll(t, o, schemas.DispositionTopic)); n != 2 {
			t.Errorf("%d records were written, want 2", n)
		}
		fill(t, o, s, 1)
		if ok, err := s.Commit(testContext(t), nil); err != nil || !ok {
			t.Fatalf("Commit: %t, %v", ok, err)
		}
		if got := committedAt(t, o); got < 6 {
			t.Errorf("a commit that is told nothing leaves the group at %d, want it behind the 6 records", got)
		}
	})
}

// What was polled before the last commit is not polled again after an abort, though the group stays before it.
func TestAnAbortGoesBackToTheLastCommit(t *testing.T) {
	cluster, o := fake(t)
	so := gathering()
	so.Input = schemas.Hydrate
	s := openSession(t, o, so)
	fill(t, o, s, 3)
	s.StayAt(map[int32]int64{0: 1})
	if ok, err := s.Commit(testContext(t), nil); err != nil || !ok {
		t.Fatalf("Commit: %t, %v", ok, err)
	}
	fill(t, o, s, 1)
	fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: o.Topic(schemas.DispositionTopic), Err: kerr.MessageTooLarge, Count: -1})
	s.StayAt(map[int32]int64{0: 2})
	if ok, err := s.Commit(testContext(t), []record.Outgoing{disposition(0, 0)}); err != nil || ok {
		t.Fatalf("Commit: %t, %v, want an abort", ok, err)
	}
	fault.Remove()
	again := pollSome(t, s)
	if len(again) != 1 || again[0].Offset < 3 {
		t.Errorf("%d records come again, the first at %d; want the one behind the commit", len(again), again[0].Offset)
	}
	if got := committedAt(t, o); got != 1 {
		t.Errorf("the group is at %d, want 1", got)
	}
}

// A member that was put out of its group must not write what another one may be writing, though it polled nothing.
func TestACommitThatPolledNothingIsFenced(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		so := gathering()
		so.Input, so.Heartbeat = schemas.Hydrate, 5*time.Second // it does not notice by itself
		s := openSession(t, o, so)
		fill(t, o, s, 2)
		s.StayAt(map[int32]int64{0: 1})
		if ok, err := s.Commit(testContext(t), nil); err != nil || !ok {
			t.Fatalf("Commit: %t, %v", ok, err)
		}
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group = o.Scoped(so.Group)
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID, _ = s.client.GroupMetadata()
		leave.Members = append(leave.Members, member)
		if _, err := leave.RequestWith(testContext(t), openReader(t, o).client); err != nil {
			t.Fatal(err)
		}
		s.StayAt(map[int32]int64{0: 2})
		if ok, err := s.Commit(testContext(t), []record.Outgoing{disposition(0, 0)}); ok {
			t.Errorf("Commit: %t, %v, want a refusal", ok, err)
		}
		if n := len(readAll(t, o, schemas.DispositionTopic)); n != 0 {
			t.Errorf("%d records were written by a session without its partitions", n)
		}
	})
}
