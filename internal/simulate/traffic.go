package simulate

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kycbridge/kycbridge/providers"
)

// repeatEvery makes every so many deliveries of the traffic arrive twice, as they
// do in life; the second copy makes no event.
const repeatEvery = 8

// Traffic is sample traffic of vendors to a `dev` in the same process.
type Traffic struct {
	Vendors     []providers.Provider
	Keys        Keyring
	URL         func(endpoint string) string // where an endpoint takes webhooks
	Authorities string                       // file with certificates to trust; "": the system's
	APIs        *FakeAPIs                    // told the objects of the deliveries
	Rate        float64                      // deliveries a second, of all vendors together
	Chaos       bool                         // the fixtures, with all that a vendor might do wrong, instead of stories
	Log         *slog.Logger
}

// Run sends until ctx ends. What goes wrong is logged and goes on: the sender of
// webhooks is not the service.
func (t Traffic) Run(ctx context.Context) {
	var group errgroup.Group
	for _, v := range t.Vendors {
		group.Go(func() error {
			if err := t.send(ctx, v, t.Rate/float64(len(t.Vendors))); err != nil && ctx.Err() == nil {
				t.Log.Warn("the simulation ended", "vendor", v.Name, "error", err)
			}
			return nil
		})
	}
	_ = group.Wait()
}

// send sends what a vendor has to say, until ctx ends.
func (t Traffic) send(ctx context.Context, v providers.Provider, rate float64) error {
	ways, err := t.Keys.Ways(v)
	if err != nil {
		return err
	}
	sender, err := NewSender(v, ways[0], t.URL(v.Name), 4, t.Authorities)
	if err != nil {
		return err
	}
	defer sender.Close()
	next, err := t.script(sender)
	if err != nil {
		return err
	}
	tick := newPace(rate)
	defer tick.stop()
	for i := 0; tick.wait(ctx); i++ {
		d := next()
		if d.object != "" {
			t.APIs.tell(v.Name, d.object, d.answer)
		}
		posts := 1
		if i%repeatEvery == repeatEvery-1 {
			posts = 2
		}
		for range posts {
			if _, err := sender.post(ctx, d.Delivery); err != nil {
				t.Log.Debug("simulated delivery", "error", err)
			}
		}
	}
	return nil
}

// simulated is a delivery, and the object that the API has from then on; "": none is new.
type simulated struct {
	Delivery
	object string
	answer fakeAnswer
}

// script is what a vendor says, one delivery after the other: its stories, or its
// fixtures where there are none, or for chaos.
func (t Traffic) script(s *Sender) (func() simulated, error) {
	stories, err := s.vendor.ReadStories()
	if err != nil {
		return nil, err
	}
	if t.Chaos || len(stories) == 0 {
		return chaos(s)
	}
	tell := newTeller(stories, rand.Uint64())
	return func() simulated {
		told := tell.next(time.Now())
		d := simulated{Delivery: s.Seal(told.Body, told.Headers)}
		d.object, d.answer, _ = sampleAnswer(s.vendor, told.Fixture, nil)
		return d
	}, nil
}

// chaos sends a vendor's good fixtures in turn, round after round; the ids of a round
// belong together and are fresh in each.
func chaos(s *Sender) (func() simulated, error) {
	fixtures, err := s.vendor.GoodFixtures()
	if err != nil {
		return nil, err
	}
	seed := rand.Uint64()
	rand.Shuffle(len(fixtures), func(i, j int) { fixtures[i], fixtures[j] = fixtures[j], fixtures[i] }) // by name, all of one kind would come first
	i := 0
	return func() simulated {
		f, n := fixtures[i%len(fixtures)], seed+uint64(i/len(fixtures))
		i++
		d := simulated{Delivery: s.Sign(f, n)}
		d.object, d.answer, _ = sampleAnswer(s.vendor, f, &d.Delivery)
		return d
	}, nil
}
