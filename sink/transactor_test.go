package sink

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

func openTransactor(t *testing.T, o Options) *Transactor {
	t.Helper()
	x, err := OpenTransactor(testContext(t), o, "replay-0", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

func TestTransactorWritesAllOrNothing(t *testing.T) {
	cluster, o := fake(t)
	x := openTransactor(t, o)
	out := []record.Outgoing{sessionEvent("a"), disposition(1, 7)}
	fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: o.Topic(schemas.DispositionTopic), Err: kerr.MessageTooLarge, Count: -1})
	if committed, err := x.Commit(testContext(t), out); committed || err != nil {
		t.Fatalf("Commit with a refused record: %t, %v, want an abort", committed, err)
	}
	if got := Classify(x.AbortReason()); got != ClassTooLarge {
		t.Errorf("AbortReason is %s, want %s", got, ClassTooLarge)
	}
	if n := len(readAll(t, o, schemas.Session)); n != 0 {
		t.Errorf("%d events after an abort, want none", n)
	}
	fault.Remove()
	for n := range 2 {
		committed, err := x.Commit(testContext(t), out)
		if !committed || err != nil || x.AbortReason() != nil {
			t.Fatalf("Commit: %t, %v, %v", committed, err, x.AbortReason())
		}
		if got := len(readAll(t, o, schemas.DispositionTopic)); got != n+1 || out[1].Offset < int64(n) {
			t.Errorf("%d dispositions, the last at %d; want %d", got, out[1].Offset, n+1)
		}
	}
}

// Who opens second has the id; the first one can write nothing any more.
func TestSecondTransactorFencesTheFirst(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		first := openTransactor(t, o)
		if committed, err := first.Commit(testContext(t), []record.Outgoing{sessionEvent("a")}); !committed || err != nil {
			t.Fatalf("Commit: %t, %v", committed, err)
		}
		second := openTransactor(t, o)
		for range 2 {
			if committed, err := first.Commit(testContext(t), []record.Outgoing{sessionEvent("b")}); committed || !errors.Is(err, ErrFenced) {
				t.Errorf("Commit of the fenced one: %t, %v, want ErrFenced", committed, err)
			}
		}
		if committed, err := second.Commit(testContext(t), []record.Outgoing{sessionEvent("c")}); !committed || err != nil {
			t.Errorf("Commit of the second one: %t, %v", committed, err)
		}
		if n := len(readAll(t, o, schemas.Session)); n != 2 {
			t.Errorf("%d events, want 2", n)
		}
	})
}

// The first transaction of a client is committed when it says so, also where the brokers answer before
// the client has noted which partitions there are.
func TestFirstTransactionsAreCommitted(t *testing.T) {
	_, o := fake(t)
	const clients = 150
	for n := range clients {
		x, err := OpenTransactor(testContext(t), o, fmt.Sprintf("replay-%d", n), 0)
		if err != nil {
			t.Fatal(err)
		}
		if committed, err := x.Commit(testContext(t), []record.Outgoing{sessionEvent(fmt.Sprint(n))}); !committed || err != nil {
			t.Fatalf("Commit: %t, %v", committed, err)
		}
		x.Close()
	}
	if n := len(readAll(t, o, schemas.Session)); n != clients {
		t.Errorf("%d of %d committed events are there", n, clients)
	}
}

// TestTransactorAsksBeforeItCommits: a last look that refuses leaves nothing for readers, and the next
// transaction goes through.
func TestTransactorAsksBeforeItCommits(t *testing.T) {
	_, o := fake(t)
	x := openTransactor(t, o)
	out := []record.Outgoing{sessionEvent("a"), disposition(1, 7)}
	refusal := errors.New("not now")
	committed, err := x.CommitIf(testContext(t), out, func(context.Context) error {
		if n := len(readAll(t, o, schemas.Session)); n != 0 {
			t.Errorf("%d events are seen before the look", n)
		}
		return refusal
	})
	if committed || err != nil || !errors.Is(x.AbortReason(), refusal) {
		t.Errorf("refused: %t, %v, %v", committed, err, x.AbortReason())
	}
	committed, err = x.CommitIf(testContext(t), out, func(context.Context) error { return nil })
	if n := len(readAll(t, o, schemas.Session)); !committed || err != nil || n != 1 {
		t.Errorf("granted: %t, %v, %d events", committed, err, n)
	}
}

// TestMembersOfAGroup: none where it never was, and one with a session.
func TestMembersOfAGroup(t *testing.T) {
	_, o := fake(t)
	r, err := OpenReader(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if n, err := r.Members(testContext(t), "nobody"); n != 0 || err != nil {
		t.Errorf("a group that never was: %d, %v", n, err)
	}
}
