package main

import (
	"context"
	"log/slog"
	"math/rand/v2"

	"golang.org/x/sync/errgroup"

	"github.com/kycbridge/kycbridge/internal/config/clientauth"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
)

// repeatEvery makes every so many deliveries of the simulation arrive twice,
// as they do in life; the second copy makes no event.
const repeatEvery = 8

// watchAndSimulate sends sample traffic and prints what becomes of it, until
// ctx ends. What goes wrong is logged and goes on: the sender of webhooks is
// not the service.
func watchAndSimulate(ctx context.Context, s *service, a addresses, rate float64) {
	var group errgroup.Group
	group.Go(func() error {
		if err := watch(ctx, s); err != nil && ctx.Err() == nil {
			s.log.Warn("events are no longer printed", "error", err)
		}
		return nil
	})
	vendors := catalog.All()
	for _, v := range vendors {
		group.Go(func() error {
			if err := simulate(ctx, s, v, a, rate/float64(len(vendors))); err != nil && ctx.Err() == nil {
				s.log.Warn("the simulation ended", "vendor", v.Name, "error", err)
			}
			return nil
		})
	}
	_ = group.Wait()
}

// watch prints the domain events, one short line each.
func watch(ctx context.Context, s *service) error {
	o := s.kafka
	o.ClientID, o.Logger, o.Hooks = "kycbridge-watch", slog.New(slog.DiscardHandler), nil
	var bases []string
	for _, t := range schemas.Topics() {
		if t.Domain {
			bases = append(bases, t.Base)
		}
	}
	return follow(ctx, o, bases, false, &printer{out: s.world.stdout, format: shortLine, prefix: s.config.File.Kafka.TopicPrefix})
}

// simulate sends a vendor's good fixtures in turn, round after round; the ids
// of a round belong together and are fresh in each.
func simulate(ctx context.Context, s *service, v providers.Provider, a addresses, rate float64) error {
	fixtures, err := v.GoodFixtures()
	if err != nil {
		return err
	}
	ways, err := signers(s.world, v, s.data)
	if err != nil {
		return err
	}
	roots, err := clientauth.Authorities(a.Certificate)
	if err != nil {
		return err
	}
	sender := newSender(v, ways[0], hookURL(a, v.Name), 4, roots)
	defer sender.close()
	tick := newPace(rate)
	defer tick.stop()
	seed := rand.Uint64()
	rand.Shuffle(len(fixtures), func(i, j int) { fixtures[i], fixtures[j] = fixtures[j], fixtures[i] }) // by name, all of one kind would come first
	for i := 0; tick.wait(ctx); i++ {
		f := fixtures[i%len(fixtures)]
		d := sender.sign(f, seed+uint64(i/len(fixtures)))
		if id, answer, ok := sampleAnswer(v, f, &d); ok {
			s.fakes.set(v.Name, id, answer)
		}
		posts := 1
		if i%repeatEvery == repeatEvery-1 {
			posts = 2
		}
		for range posts {
			if _, err := sender.post(ctx, d); err != nil {
				s.log.Debug("simulated delivery", "error", err)
			}
		}
	}
	return nil
}
