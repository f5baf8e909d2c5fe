package normalize

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// stuckStore is a store that answers nothing before the call is given up.
type stuckStore struct {
	claims
	asking chan struct{} // one for each call under way
}

var errStuck = errors.New("stuck")

func (s stuckStore) Exchange(ctx context.Context, _ dedupe.Round) (dedupe.Reply, error) {
	s.asking <- struct{}{}
	<-ctx.Done()
	<-s.asking
	return dedupe.Reply{}, errStuck
}

// However many partitions two slots of a process have to repair, four run at a time; the others get their turn
// when one ends, and one that goes while it waits needs none.
func TestRepairsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions = 6
		store := stuckStore{asking: make(chan struct{}, 2*partitions)}
		turns := make(chan struct{}, repairsAtOnce)
		var slots []*repairs
		var ends []context.CancelFunc
		for range 2 {
			ledger := dedupe.NewLedger(store, dedupe.LedgerOptions{})
			slot := newRepairs(turns, nil)
			slots = append(slots, slot)
			for p := range int32(partitions) {
				during, end := context.WithCancel(t.Context())
				ends = append(ends, end)
				slot.begin(&underway{partition: p, repair: ledger.BeginRepair(p), during: during, done: end})
			}
		}
		running := func(want int) {
			t.Helper()
			synctest.Wait()
			if got := len(store.asking); got != want {
				t.Errorf("%d repairs run at once, expected %d", got, want)
			}
		}
		running(4)
		for _, end := range ends[:partitions] {
			end()
		}
		running(4)
		slots[0].all.Wait()
		if n := len(slots[0].take()); n != partitions || len(slots[0].running) != 0 {
			t.Errorf("%d repairs ended and %d run, expected all %d to have ended", n, len(slots[0].running), partitions)
		}
		slots[1].stop()
		running(0)
	})
}

// keptStore has a watermark for each partition, which says that three dispositions have their marks.
type keptStore struct{ claims }

func (keptStore) Exchange(_ context.Context, r dedupe.Round) (reply dedupe.Reply, err error) {
	for range r.Reads {
		reply.Seen = append(reply.Seen, []string{"3:-1:owner:-1::0"})
	}
	for _, m := range r.Moves {
		reply.Before = append(reply.Before, []string{m.To})
	}
	return reply, nil
}

// endsOf is a Log of which the dispositions of each partition end somewhere; where nothing is said they cannot be read.
type endsOf struct {
	Log
	ends map[int32]int64
}

var errUnread = errors.New("cannot be read")

func (e endsOf) History(_ context.Context, p int32, _ record.ScanFrom, _ func(int64, []byte) error) (int64, error) {
	return e.ends[p], nil
}

func (e endsOf) Bounds(_ context.Context, p int32) (b dedupe.Bounds, err error) {
	end, ok := e.ends[p]
	if !ok {
		return b, errUnread
	}
	b.Dispositions.End, b.Raw.End = end, 100
	return b, nil
}

// A slot that ends because Kafka went back names every partition of its own of which that is so, and no other.
func TestAllPartitionsThatWentBackAreNamed(t *testing.T) {
	w := keeperWorker(t, &keeping{}, &stays{})
	w.o.Claims, w.o.Log = keptStore{}, endsOf{ends: map[int32]int64{2: 3, 3: 2, 4: 9, 6: 0, 7: 1, 8: 1}}
	w.slot.Topic, w.ledger = "kyc.raw.v1", w.newLedger()
	w.owned.assigned([]int32{2, 3, 4, 5, 6, 7}) // 8 is another's
	defer w.repairs.stop()
	var err error
	for err == nil && t.Context().Err() == nil {
		during, done := w.wakeup.during(t.Context())
		if err = w.repair(t.Context()); err == nil {
			<-during.Done()
		}
		done()
	}
	var stop stopError
	if !errors.As(err, &stop) || !errors.Is(err, dedupe.ErrWentBack) || !strings.HasPrefix(err.Error(), "topic kyc.raw.v1, partition(s) [3 6 7]: repairing the marks of raw partition ") {
		t.Errorf("it ended with %v; expected that Kafka went back in partitions 3, 6 and 7", err)
	}
}

// What several slots ended with is all told.
func TestEverySlotTellsWhyItEnded(t *testing.T) {
	n := &Normalizer{o: Options{}.withDefaults()}
	var both sync.WaitGroup
	both.Add(2)
	for slot := range 2 {
		o := n.o
		o.Source = func(int) Source { return &keeping{} }
		o.Sessions = opensNot{func() error {
			both.Done()
			both.Wait()
			return fmt.Errorf("slot %d", slot)
		}}
		n.workers = append(n.workers, newWorker(o, slot))
	}
	if err := n.Run(t.Context()); err == nil || err.Error() != "slot 0\nslot 1" {
		t.Errorf("it ended with %v, expected the reasons of both slots", err)
	}
}

// opensNot is Sessions that fail for good.
type opensNot struct{ why func() error }

func (s opensNot) Open(context.Context, string, Watch) (Slot, error) { return Slot{}, s.why() }
func (opensNot) Judge(error) Trouble                                 { return Stop }
