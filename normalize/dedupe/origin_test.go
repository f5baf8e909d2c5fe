package dedupe

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

var taskTopic = [16]byte{3}

// taskBench is a bench whose ledgers read tasks, and counts their pipelines.
type taskBench struct {
	*bench
	trips int
}

func newTaskBench(t *testing.T) *taskBench {
	b := &taskBench{bench: newBench(t)}
	b.ledger = b.successor()
	return b
}

// successor is the ledger of the next owner, repaired.
func (b *taskBench) successor() *Ledger {
	store := &hooked{backend: patient(b.t, b.redis.Addr()), before: func(int, Round) error { b.trips++; return nil }}
	l := NewLedger(store, LedgerOptions{
		Group: "g", Stage: kycv1.Stage_STAGE_HYDRATE, TopicID: taskTopic, DispositionID: dispTopic, TTL: time.Hour, History: b.journal.read,
	})
	b.repair(l, 0)
	return l
}

func origin(offset int64) Origin {
	return Origin{TopicID: rawTopic, Offset: offset, Endpoint: "shop", ReceivedAt: time.Unix(1700000000, 5)}
}

// finish commits the final disposition of an origin, made for the task at an offset.
func (b *taskBench) finish(l *Ledger, task int64, o Origin, kind kycv1.DispositionKind) {
	b.t.Helper()
	it := Item{Offset: task, Origin: &o}
	verdicts, err := l.Claim(b.ctx, []Item{it})
	if err != nil || letters(verdicts) != "P" {
		b.t.Fatalf("task %d: %s, %v", task, letters(verdicts), err)
	}
	l.Settle([]Item{it}, verdicts, []int64{b.journal.append(0, &kycv1.Disposition{
		Raw: &kycv1.RawPosition{Offset: o.Offset}, RawTopicId: o.TopicID[:], Claimed: &kycv1.RawPosition{Offset: task}, ClaimedTopicId: taskTopic[:],
		Stage: kycv1.Stage_STAGE_HYDRATE, Kind: kind, Endpoint: o.Endpoint, ReceivedAt: timestamppb.New(o.ReceivedAt), DecidedAt: timestamppb.Now(),
	})})
}

func (b *taskBench) expect(l *Ledger, trips int, want []bool, origins ...Origin) {
	b.t.Helper()
	b.trips = 0
	done, err := l.Disposed(b.ctx, origins)
	if err != nil || !slices.Equal(done, want) {
		b.t.Errorf("disposed of: %v, %v; expected %v", done, err, want)
	}
	if b.trips != trips {
		b.t.Errorf("%d pipelines, expected %d", b.trips, trips)
	}
}

func TestAnOriginIsDisposedOfOnce(t *testing.T) {
	const emitted, duplicate = kycv1.DispositionKind_DISPOSITION_KIND_EMITTED, kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE
	b := newTaskBench(t)
	// New tasks, and those that others overtook, are not looked up.
	b.expect(b.ledger, 0, []bool{false, false, false}, origin(10), origin(20), origin(30))
	b.finish(b.ledger, 1, origin(20), emitted)
	b.finish(b.ledger, 2, origin(30), duplicate)
	b.expect(b.ledger, 0, []bool{false}, origin(10))
	// Another copy of a task that is done with, before its mark is written.
	b.expect(b.ledger, 1, []bool{false, true, true}, origin(10), origin(20), origin(30))
	// A successor looks once at what its predecessor left, however Redis is.
	for _, lose := range []func(){func() {}, b.redis.FlushAll} {
		lose()
		l := b.successor()
		b.expect(l, 1, []bool{true, false, true, false}, origin(20), origin(10), origin(30), origin(40))
		b.expect(l, 0, []bool{false, false}, origin(10), origin(40))
	}
	// The raw topic was recreated: the same place, another record.
	again, other := origin(20), origin(20)
	again.TopicID, other.ReceivedAt = [16]byte{9}, other.ReceivedAt.Add(1)
	b.expect(b.successor(), 1, []bool{false, false, true}, again, other, origin(20))
}

// A task leaves no disposition when it is asked for once more: its origin stays open.
func TestAnOriginWithoutDispositionStaysOpen(t *testing.T) {
	b := newTaskBench(t)
	o := origin(1)
	it := Item{Offset: 1, Origin: &o}
	verdicts, err := b.ledger.Claim(b.ctx, []Item{it})
	if err != nil {
		t.Fatal(err)
	}
	b.ledger.Settle([]Item{it}, verdicts, []int64{-1})
	b.expect(b.successor(), 0, []bool{false}, o)
}

// What a replay wrote is no final disposition of the stage.
func TestAReplayLeavesOriginsOpen(t *testing.T) {
	b := newTaskBench(t)
	b.finish(b.ledger, 5, origin(7), kycv1.DispositionKind_DISPOSITION_KIND_EMITTED)
	o := origin(3)
	b.journal.append(0, &kycv1.Disposition{
		Raw: &kycv1.RawPosition{Offset: o.Offset}, RawTopicId: o.TopicID[:], Claimed: &kycv1.RawPosition{Offset: 1}, ClaimedTopicId: taskTopic[:],
		Stage: kycv1.Stage_STAGE_REPLAY, Kind: kycv1.DispositionKind_DISPOSITION_KIND_EMITTED, Endpoint: o.Endpoint, ReceivedAt: timestamppb.New(o.ReceivedAt), DecidedAt: timestamppb.Now(),
	})
	b.expect(b.successor(), 1, []bool{false, true}, o, origin(7))
}

func TestOriginsAreNotJudgedByARedisThatLostData(t *testing.T) {
	b := newTaskBench(t)
	b.finish(b.ledger, 1, origin(5), kycv1.DispositionKind_DISPOSITION_KIND_EMITTED)
	if err := b.ledger.Flush(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.redis.FlushAll()
	var drift *DriftError
	if done, err := b.ledger.Disposed(b.ctx, []Origin{origin(5)}); !errors.As(err, &drift) {
		t.Errorf("%v, %v, expected a DriftError", done, err)
	}
	if done, err := b.ledger.Disposed(context.Background(), []Origin{origin(5)}); !errors.Is(err, ErrUnrepaired) {
		t.Errorf("%v, %v, expected ErrUnrepaired until the repair", done, err)
	}
	b.repair(b.ledger, 0)
	b.expect(b.ledger, 1, []bool{true}, origin(5))
	b.redis.SetError("LOADING")
	if done, err := b.ledger.Disposed(b.ctx, []Origin{origin(5)}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v, %v, expected ErrUnavailable", done, err)
	}
}

func TestRememberedOriginsAreBounded(t *testing.T) {
	b := newTaskBench(t)
	for n := range 3 * openMost / 1000 {
		batch := make([]Origin, 1000)
		for i := range batch {
			batch[i] = origin(int64(1000*n + i))
		}
		if _, err := b.ledger.Disposed(b.ctx, batch); err != nil {
			t.Fatal(err)
		}
		if kept := len(b.ledger.parts[0].open); kept > openMost {
			t.Fatalf("%d origins are remembered, expected at most %d", kept, openMost)
		}
	}
}
