package normalize

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

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
