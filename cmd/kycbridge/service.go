package main

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/kycbridge/kycbridge/ingest"
	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/sink"
)

// service is a serving process: what its role needs, opened in the order in
// which it can fail cheaply, closed in the order in which nothing is lost.
type service struct {
	world    *world
	role     role
	config   *config.Config
	instance int
	fakes    *fakeAPIs // of `dev`; nil elsewhere
	data     string    // directory of `dev`
	embedded bool      // Kafka and Redis are in this process
	life     string    // goes into transactional ids where each life needs fresh ones; "" elsewhere
	log      *slog.Logger
	health   *health
	registry *prometheus.Registry

	hooks, admin net.Listener // nil where there is none
	kafka        sink.Options
	ingest       *ingest.Server
	normalizer   *normalize.Normalizer
	hydrator     *hydrate.Hydrator
	closers      []func() error              // run last to first
	broken       func(context.Context) error // returns an error once what is embedded cannot go on; nil elsewhere
}

// listen opens the addresses, before anything slower, so that one that is
// taken is the first thing said. The arguments name what moves an address.
func (s *service) listen(hooksFlag, adminFlag string) error {
	var err error
	if addr := s.config.File.Admin.Listen; addr != "" {
		if s.admin, err = listen(addr, adminFlag); err != nil {
			return err
		}
	}
	if s.role.ingest {
		if s.hooks, err = listen(s.config.File.Ingest.Listen, hooksFlag); err != nil {
			return errors.Join(err, s.close())
		}
	}
	return nil
}

// run opens the rest and serves until ctx ends or something fails for good.
// The admin address answers from the first moment to the last.
func (s *service) run(ctx context.Context) error {
	adminCtx, stopAdmin := context.WithCancel(context.WithoutCancel(ctx))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var admin errgroup.Group
	if s.admin != nil {
		admin.Go(func() error {
			defer cancel() // without health and metrics nobody would know how we are
			return serveAdmin(adminCtx, s.admin, adminHandler(s.health, s.registry, s.fakes), s.log)
		})
	}
	err := s.open(ctx)
	if err == nil {
		err = s.serve(ctx)
	} else if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // asked to stop before everything was there
	}
	stopAdmin()
	return errors.Join(err, admin.Wait())
}

// serve runs all parts. The first signal, or the first failure, stops
// ingest: unready, listener, requests, flush. The workers go on through that,
// and stop once ingest has, so that what was accepted last is on its way.
func (s *service) serve(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, s.health.drain)
	defer stop()
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	if s.ingest != nil {
		group.Go(func() error {
			defer stopWork()
			return s.ingest.Run(ctx, s.hooks)
		})
		for _, keys := range s.config.KeySets {
			s.registry.MustRegister(keySetAge(keys))
			group.Go(func() error { keys.Run(ctx, s.log); return nil })
		}
	} else {
		context.AfterFunc(ctx, stopWork)
	}
	if s.normalizer != nil {
		group.Go(func() error { return s.normalizer.Run(work) })
	}
	if s.hydrator != nil {
		group.Go(func() error { return s.hydrator.Run(work) })
	}
	if s.broken != nil {
		group.Go(func() error { return s.broken(ctx) })
	}
	s.announce()
	return group.Wait()
}

func (s *service) announce() {
	var a addresses
	if s.hooks != nil {
		a.Hooks = s.hooks.Addr().String()
		a.Certificate = s.config.File.Ingest.GetTls().GetCertificateFile()
	}
	if s.admin != nil {
		a.Admin = s.admin.Addr().String()
	}
	if len(s.kafka.Brokers) > 0 {
		a.Kafka = s.kafka.Brokers[0]
	}
	if s.embedded {
		a.Redis = s.config.File.Redis.Address
	}
	s.log.Info("serving", "role", s.role.name, "hooks", a.Hooks, "admin", a.Admin, "kafka", s.kafka.Brokers, "endpoints", len(s.config.Endpoints))
	if s.world.started != nil {
		s.world.started(a)
	}
}

// later notes what close must do.
func (s *service) later(f func() error) { s.closers = append(s.closers, f) }

// close gives back what was opened and is not closed by the one who uses it.
func (s *service) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	for _, l := range []net.Listener{s.hooks, s.admin} {
		if l == nil {
			continue
		}
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
