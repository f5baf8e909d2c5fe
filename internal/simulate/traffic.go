package simulate

import (
	"context"
	"log/slog"
	"math/rand/v2"

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

// send sends a vendor's good fixtures in turn, round after round; the ids of a round
// belong together and are fresh in each.
func (t Traffic) send(ctx context.Context, v providers.Provider, rate float64) error {
	fixtures, err := v.GoodFixtures()
	if err != nil {
		return err
	}
	ways, err := t.Keys.Ways(v)
	if err != nil {
		return err
	}
	sender, err := NewSender(v, ways[0], t.URL(v.Name), 4, t.Authorities)
	if err != nil {
		return err
	}
	defer sender.Close()
	tick := newPace(rate)
	defer tick.stop()
	seed := rand.Uint64()
	rand.Shuffle(len(fixtures), func(i, j int) { fixtures[i], fixtures[j] = fixtures[j], fixtures[i] }) // by name, all of one kind would come first
	for i := 0; tick.wait(ctx); i++ {
		f := fixtures[i%len(fixtures)]
		d := sender.Sign(f, seed+uint64(i/len(fixtures)))
		if id, answer, ok := sampleAnswer(v, f, &d); ok {
			t.APIs.set(v.Name, id, answer)
		}
		posts := 1
		if i%repeatEvery == repeatEvery-1 {
			posts = 2
		}
		for range posts {
			if _, err := sender.post(ctx, d); err != nil {
				t.Log.Debug("simulated delivery", "error", err)
			}
		}
	}
	return nil
}
