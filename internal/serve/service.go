package serve

import (
	"context"
	"errors"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/kycbridge/kycbridge/ingest"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/sink"
)

// service is a serving process: what its role needs, opened in the order in
// which it can fail cheaply, closed in the order in which nothing is lost.
type service struct {
	Options
	health   *health
	registry *prometheus.Registry

	kafka      sink.Options
	reader     *sink.Reader
	topics     *topicsWatch
	store      *dedupe.Watch  // nil where the role has no workers
	ingest     *ingest.Server // nil, as the next two, where the role has none
	normalizer *normalize.Normalizer
	hydrator   *hydrate.Hydrator
	closers    []func() error // run last to first
}

// listen opens the addresses, before anything slower, so that an address in use is the
// first error.
func (s *service) listen() (err error) {
	if addr := s.Config.File.Admin.Listen; addr != "" && s.Admin == nil {
		if s.Admin, err = Listen(addr, "admin.listen"); err != nil {
			return err
		}
	}
	if s.Role.Ingest && s.Hooks == nil {
		s.Hooks, err = Listen(s.Config.File.Ingest.Listen, "ingest.listen")
	}
	return err
}

// run opens the rest and serves until ctx ends or something fails for good.
// The admin address answers from the first moment to the last.
func (s *service) run(ctx context.Context) error {
	adminCtx, stopAdmin := context.WithCancel(context.WithoutCancel(ctx))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var admin errgroup.Group
	if s.Admin != nil {
		admin.Go(func() error {
			defer cancel() // without health and metrics nobody could see the process's state
			return serveAdmin(adminCtx, s.Admin, s.adminHandler(), s.Log)
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
	taking, stopTaking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopTaking()
	stop := context.AfterFunc(ctx, func() {
		s.health.drain() // first, so that /readyz gives this reason and no other
		stopTaking()
	})
	defer stop()
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	if s.ingest != nil {
		group.Go(func() error {
			defer stopWork()
			return s.ingest.Run(taking, s.Hooks)
		})
		s.registry.MustRegister(keySetAges(s.Config.KeySets)...)
		for _, keys := range s.Config.KeySets {
			group.Go(func() error { keys.Run(ctx, s.Log); return nil })
		}
	} else {
		context.AfterFunc(ctx, stopWork)
	}
	group.Go(func() error { return s.topics.run(work) })
	if s.store != nil {
		group.Go(func() error { s.store.Run(work); return nil })
	}
	if s.normalizer != nil {
		group.Go(func() error { return s.normalizer.Run(work) })
	}
	if s.hydrator != nil {
		group.Go(func() error { return s.hydrator.Run(work) })
	}
	at := s.addresses()
	s.Log.Info("serving", "role", s.Role.Name, "hooks", at.Hooks, "admin", at.Admin, "kafka", s.kafka.Brokers, "endpoints", len(s.Config.Endpoints))
	if s.Started != nil {
		s.Started(at)
	}
	for _, part := range s.Beside {
		group.Go(func() error { return part(work, at) })
	}
	return group.Wait()
}

func (s *service) addresses() Addresses {
	var a Addresses
	if s.Hooks != nil {
		a.Hooks = s.Hooks.Addr().String()
		a.Certificate = s.Config.File.Ingest.GetTls().GetCertificateFile()
	}
	if s.Admin != nil {
		a.Admin = s.Admin.Addr().String()
	}
	if len(s.kafka.Brokers) > 0 {
		a.Kafka = s.kafka.Brokers[0]
	}
	if s.Role.Works() {
		a.Redis = s.Config.RedisOptions().Addresses[0]
	}
	return a
}

// onClose notes what close must do.
func (s *service) onClose(f func() error) { s.closers = append(s.closers, f) }

// close gives back what was opened and is not closed by the one who uses it.
func (s *service) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	for _, l := range []net.Listener{s.Hooks, s.Admin} {
		if l == nil {
			continue
		}
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
