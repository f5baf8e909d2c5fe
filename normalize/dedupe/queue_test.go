package dedupe

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
)

// One writes at a time; then whoever began first, however late it asked, and one that gave up lets the next in.
func TestQueueLetsInWhoBeganFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue()
		in := make(chan int, 10)
		enter := func(ctx context.Context, place int) {
			go func() {
				if err := q.enter(ctx, place); err == nil {
					in <- place
				} else if !errors.Is(err, context.Canceled) {
					t.Errorf("place %d: %v, expected that it was cancelled", place, err)
				}
			}()
			synctest.Wait()
		}
		var places []int
		for range 6 {
			places = append(places, q.begin())
		}
		gone, cancel := context.WithCancel(t.Context())
		for _, i := range []int{4, 5, 3, 1, 2} {
			ctx := t.Context()
			if i == 2 {
				ctx = gone
			}
			enter(ctx, places[i])
		}
		cancel()
		synctest.Wait()
		enter(t.Context(), places[0])
		for range 5 {
			q.leave()
			synctest.Wait()
		}
		close(in)
		var got []int
		for place := range in {
			got = append(got, place-places[0])
		}
		if want := "[4 0 1 3 5]"; fmt.Sprint(got) != want {
			t.Errorf("they wrote in the order %v, expected %v", got, want)
		}
		if q.writing || len(q.waiting) != 0 {
			t.Errorf("at the end one writes: %v, and %d wait, expected none", q.writing, len(q.waiting))
		}
	})
}

// One that gives up while its turn comes gives it on.
func TestQueueLosesNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue()
		q.writing = true
		ctx, cancel := context.WithCancel(t.Context())
		place, entered := q.begin(), make(chan error, 1)
		go func() { entered <- q.enter(ctx, place) }()
		synctest.Wait()
		q.mu.Lock() // both come at once, the end first
		cancel()
		close(q.waiting[place])
		delete(q.waiting, place)
		q.mu.Unlock()
		if err := <-entered; err == nil {
			t.Fatal("it entered although it had given up")
		}
		if q.writing {
			t.Error("the turn was not given on")
		}
	})
}
