package serve

import (
	"context"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// openWorkers opens the stages of the role: they share Redis, a reader and the
// rules.
func (s *service) openWorkers(ctx context.Context) error {
	redis := s.health.expect("redis", errNotYet)
	repair := s.health.expect("repair", errNotYet)
	store, err := s.openStore(ctx)
	if err != nil {
		return err
	}
	redis.set(nil)
	if err := s.watchStore(ctx, store); err != nil {
		return err
	}
	o := normalizeOptions(s.Config)
	if o.Forms, err = s.Config.Registry().Forms(ctx, o.Forms); err != nil {
		return err
	}
	o.Instance = s.Instance
	o.Claims, o.Attempts, o.Health, o.Kept, o.Rule = failStore(store), store, store, s.store, rule()
	o.Lacks = s.topics.lacks
	o.Providers, o.Validator = failProviders(s.Config.Vendors), contract.NewValidator()
	o.Logger, o.Registerer = s.Log, s.registry
	if s.Role.Normalize {
		if err := s.openNormalizer(s.reader, o); err != nil {
			return err
		}
	}
	if s.Role.Hydrate {
		if err := s.openHydrator(s.reader, o); err != nil {
			return err
		}
	}
	repair.set(nil)
	return nil
}

func (s *service) openNormalizer(reader *sink.Reader, o normalize.Options) (err error) {
	raw := s.input(reader, normalize.DefaultGroup, schemas.Raw)
	o.Sessions, o.Log = raw, raw
	if s.normalizer, err = normalize.New(o); err != nil {
		return err
	}
	s.watchWorkers("normalize", s.normalizer.Ready)
	return nil
}

func (s *service) openHydrator(reader *sink.Reader, stage normalize.Options) (err error) {
	o := hydrateOptions(s.Config)
	tasks := s.input(reader, hydrate.DefaultGroup, schemas.Hydrate)
	stage.Slots, stage.Batch = int(s.Config.File.Hydrate.Slots), 0
	stage.Sessions, stage.Log = tasks, tasks
	_, stage.Former = s.Config.FormerTopics()
	o.Stage, o.Wait, o.Tasks = stage, s.input(reader, hydrate.DefaultGroup, schemas.HydrateWait), tasks.Tasks
	if s.hydrator, err = hydrate.New(o); err != nil {
		return err
	}
	s.watchWorkers("hydrate", s.hydrator.Ready)
	return nil
}

// watchWorkers: beside an ingest, workers that lose Kafka or Redis must not take
// the process out of rotation.
func (s *service) watchWorkers(name string, ready func() error) {
	if s.Role.Ingest {
		s.health.watchUntilUp(name, ready)
	} else {
		s.health.watch(name, ready)
	}
}
