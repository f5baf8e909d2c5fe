package simulate

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kycbridge/kycbridge/providers"
)

// Burst is one run of `send`.
type Burst struct {
	Sender   *Sender
	Fixtures []providers.Fixture // sent in turn
	Count    int                 // different deliveries
	Copies   int                 // posts of each
	Rate     float64             // posts per second; 0 means no limit
	Corrupt  bool                // the body is changed after it was signed
	Admin    string              // admin address of a running dev, whose fake APIs are told the objects; "": nobody is
	Posted   func()              // called after each post
}

// Result is what was answered.
type Result struct {
	Statuses map[int]int // how often
	Answers  []Answer    // the first of them, MaxAnswers at most, as they came
	Err      error       // of the last post without an answer
	Unknown  bool        // the object of a delivery could not be told to the fake APIs
}

// MaxAnswers is how many answers of a run are kept one by one.
const MaxAnswers = 20

// Run posts everything, each time with fresh ids. It ends early when ctx does, or
// when nothing listens at all.
func (b Burst) Run(ctx context.Context) *Result {
	t := &tally{Result: Result{Statuses: map[int]int{}}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(b.Sender.connections)
	tick := newPace(b.Rate)
	defer tick.stop()
	seed, unknown := rand.Uint64(), false
	for i := range b.Count {
		f := b.Fixtures[i%len(b.Fixtures)]
		d := b.Sender.Sign(f, seed+uint64(i/len(b.Fixtures))) // fixtures of one round belong together
		if b.Corrupt {
			d = d.corrupt()
		} else if !registerObject(ctx, b.Admin, b.Sender.vendor, f, d) {
			unknown = true
		}
		for range b.Copies {
			if !tick.wait(ctx) {
				break
			}
			group.Go(func() error {
				answer, err := b.Sender.post(ctx, d)
				if t.add(answer, err) {
					cancel()
				}
				b.Posted()
				return nil
			})
		}
	}
	_ = group.Wait()
	t.Unknown = unknown
	return &t.Result
}

// tally counts answers as they come.
type tally struct {
	mu sync.Mutex
	Result
}

// add counts one post, and reports whether going on is pointless: nothing listens
// and nothing ever answered.
func (t *tally) add(answer Answer, err error) (stop bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.Statuses[answer.Status]++
		if len(t.Answers) < MaxAnswers {
			t.Answers = append(t.Answers, answer)
		}
	case errors.Is(err, context.Canceled) && t.Err != nil: // because of the error that is noted already
	default:
		t.Err = err
	}
	return errors.Is(err, syscall.ECONNREFUSED) && len(t.Statuses) == 0
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
