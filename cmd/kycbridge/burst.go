package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kycbridge/kycbridge/providers"
)

// burst is one run of `send`.
type burst struct {
	sender   *sender
	fixtures []providers.Fixture // sent in turn
	count    int                 // different deliveries
	copies   int                 // posts of each
	rate     float64             // posts per second; 0 means no limit
	corrupt  bool
	seed     uint64                          // makes the ids of this run
	tell     func(providers.Fixture, signed) // called before the posts of a delivery; nil: nobody is told
	posted   func()                          // called after each post
}

// run posts everything, and returns what was answered. It ends early when ctx
// does, or when nothing listens at all.
func (b burst) run(ctx context.Context) *tally {
	t := &tally{statuses: map[int]int{}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(sendConnections)
	tick := newPace(b.rate)
	defer tick.stop()
	for i := range b.count {
		f := b.fixtures[i%len(b.fixtures)]
		d := b.sender.sign(f, b.seed+uint64(i/len(b.fixtures))) // fixtures of one round belong together
		if b.corrupt {
			d = d.corrupt()
		} else if b.tell != nil {
			b.tell(f, d)
		}
		for range b.copies {
			if !tick.wait(ctx) {
				break
			}
			group.Go(func() error {
				status, err := b.sender.post(ctx, d)
				if t.add(status, err) {
					cancel()
				}
				b.posted()
				return nil
			})
		}
	}
	_ = group.Wait()
	return t
}

// tally counts answers.
type tally struct {
	mu       sync.Mutex
	statuses map[int]int
	err      error // of the last post without an answer
}

// add counts one post, and says whether going on is pointless: nothing listens
// and nothing ever answered.
func (t *tally) add(status int, err error) (stop bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.statuses[status]++
	case errors.Is(err, context.Canceled) && t.err != nil: // because of the error that is noted already
	default:
		t.err = err
	}
	return errors.Is(err, syscall.ECONNREFUSED) && len(t.statuses) == 0
}

func (t *tally) print(out io.Writer, url string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, status := range slices.Sorted(maps.Keys(t.statuses)) {
		fmt.Fprintf(out, "%7d × %d %s\n", t.statuses[status], status, http.StatusText(status))
	}
	if len(t.statuses) > 0 {
		fmt.Fprintf(out, "from %s in %s\n", url, took.Round(time.Millisecond))
	}
}

// pace spaces posts evenly.
type pace struct{ ticker *time.Ticker }

func newPace(rate float64) pace {
	if rate <= 0 {
		return pace{}
	}
	return pace{time.NewTicker(max(time.Duration(float64(time.Second)/rate), time.Microsecond))}
}

// wait returns when the next post is due, false when ctx ended before.
func (p pace) wait(ctx context.Context) bool {
	if p.ticker == nil {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-p.ticker.C:
		return true
	}
}

func (p pace) stop() {
	if p.ticker != nil {
		p.ticker.Stop()
	}
}
