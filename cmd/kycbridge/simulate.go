package main

import (
	"context"
	"log/slog"
	"math/rand/v2"

	"golang.org/x/sync/errgroup"

	"github.com/kycbridge/kycbridge/internal/config/clientauth"
	"github.com/kycbridge/kycbridge/internal/serve"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// repeatEvery makes every so many deliveries of the simulation arrive twice,
// as they do in life; the second copy makes no event.
const repeatEvery = 8

// traffic is sample traffic to a running dev, and what becomes of it.
type traffic struct {
	env   *environment
	fakes *fakeAPIs
	log   *slog.Logger
	at    serve.Addresses
	dir   string
	rate  float64
}

// run sends and prints until ctx ends. What goes wrong is logged and goes on: the
// sender of webhooks is not the service.
func (t traffic) run(ctx context.Context) {
	var group errgroup.Group
	group.Go(func() error {
		if err := t.watch(ctx); err != nil && ctx.Err() == nil {
			t.log.Warn("events are no longer printed", "error", err)
		}
		return nil
	})
	vendors := catalog.All()
	for _, v := range vendors {
		group.Go(func() error {
			if err := t.simulate(ctx, v, t.rate/float64(len(vendors))); err != nil && ctx.Err() == nil {
				t.log.Warn("the simulation ended", "vendor", v.Name, "error", err)
			}
			return nil
		})
	}
	_ = group.Wait()
}

// watch prints the domain events, one short line each.
func (t traffic) watch(ctx context.Context) error {
	o := sink.Options{Brokers: []string{t.at.Kafka}, ClientID: "kycbridge-watch", Logger: slog.New(slog.DiscardHandler)}
	var bases []string
	for _, topic := range schemas.Topics() {
		if topic.Domain {
			bases = append(bases, topic.Base)
		}
	}
	return follow(ctx, o, bases, false, &printer{out: t.env.stdout, format: shortLine, prefix: schemas.DefaultPrefix})
}

// simulate sends a vendor's good fixtures in turn, round after round; the ids
// of a round belong together and are fresh in each.
func (t traffic) simulate(ctx context.Context, v providers.Provider, rate float64) error {
	fixtures, err := v.GoodFixtures()
	if err != nil {
		return err
	}
	ways, err := signers(t.env, v, t.dir)
	if err != nil {
		return err
	}
	roots, err := clientauth.Authorities(t.at.Certificate)
	if err != nil {
		return err
	}
	sender := newSender(v, ways[0], hookURL(t.at, v.Name), 4, roots)
	defer sender.close()
	tick := newPace(rate)
	defer tick.stop()
	seed := rand.Uint64()
	rand.Shuffle(len(fixtures), func(i, j int) { fixtures[i], fixtures[j] = fixtures[j], fixtures[i] }) // by name, all of one kind would come first
	for i := 0; tick.wait(ctx); i++ {
		f := fixtures[i%len(fixtures)]
		d := sender.sign(f, seed+uint64(i/len(fixtures)))
		if id, answer, ok := sampleAnswer(v, f, &d); ok {
			t.fakes.set(v.Name, id, answer)
		}
		posts := 1
		if i%repeatEvery == repeatEvery-1 {
			posts = 2
		}
		for range posts {
			if _, err := sender.post(ctx, d); err != nil {
				t.log.Debug("simulated delivery", "error", err)
			}
		}
	}
	return nil
}
