package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// openWorkers opens the stages of the role: they share Redis, a reader and the
// rules.
func (s *service) openWorkers(ctx context.Context) error {
	redis := s.health.pend("redis", errNotYet)
	repair := s.health.pend("repair", errNotYet)
	store, err := s.openStore(ctx)
	if err != nil {
		return err
	}
	redis.set(nil)
	reader, err := sink.OpenReader(ctx, s.kafka)
	if err != nil {
		return err
	}
	s.later(func() error { reader.Close(); return nil })
	validator, err := contractRules()
	if err != nil {
		return err
	}
	o := normalizeOptions(s.config)
	o.Instance = s.instance
	o.Judge = judgeSession
	o.History = func(ctx context.Context, partition int32, offset int64, since time.Time, fn func(*kgo.Record) error) (int64, error) {
		return reader.Scan(ctx, schemas.DispositionTopic, partition, sink.Start{Offset: offset, Time: since}, fn)
	}
	o.Claims, o.Attempts, o.CheckStore, o.Rule = failStore(store), store, store.Check, rule()
	o.Providers, o.Validator = failProviders(catalog.All()), validator
	o.Logger, o.Registerer = s.log, s.registry
	if s.role.normalize {
		if err := s.openNormalizer(reader, o); err != nil {
			return err
		}
	}
	if s.role.hydrate {
		if err := s.openHydrator(reader, o); err != nil {
			return err
		}
	}
	repair.set(nil)
	return nil
}

// contractRules are those every record must keep.
func contractRules() (*contract.Validator, error) {
	rules, err := contract.NewValidator()
	if err != nil {
		return nil, fmt.Errorf("the rules of the contract do not compile: %w", err)
	}
	return rules, nil
}

func (s *service) openNormalizer(reader *sink.Reader, o normalize.Options) (err error) {
	o.Open = s.openSlot(reader, normalize.DefaultGroup, schemas.Raw)
	o.Ends, o.Committed = ends(reader, schemas.Raw), committed(reader, normalize.DefaultGroup, schemas.Raw)
	o.Starts = func(ctx context.Context) (map[int32]int64, error) { return reader.Starts(ctx, schemas.Raw) }
	o.Held = func(ctx context.Context) (int64, error) { return reader.Held(ctx, written()...) }
	if s.normalizer, err = normalize.New(o); err != nil {
		return err
	}
	s.watchWorkers("normalize", s.normalizer.Ready)
	return nil
}

func (s *service) openHydrator(reader *sink.Reader, stage normalize.Options) (err error) {
	o := hydrateOptions(s.config)
	stage.Slots, stage.Batch = int(s.config.File.Hydrate.Slots), 0
	stage.Open = s.openSlot(reader, hydrate.DefaultGroup, schemas.Hydrate)
	stage.Ends, stage.Committed = ends(reader, schemas.Hydrate), committed(reader, hydrate.DefaultGroup, schemas.Hydrate)
	o.Stage, o.OpenWait = stage, s.openSlot(reader, hydrate.DefaultGroup, schemas.HydrateWait)
	if s.hydrator, err = hydrate.New(o); err != nil {
		return err
	}
	s.watchWorkers("hydrate", s.hydrator.Ready)
	return nil
}

// watchWorkers: beside an ingest, workers that lose Kafka or Redis must not take
// the process out of rotation.
func (s *service) watchWorkers(name string, ready func() error) {
	if s.role.ingest {
		s.health.watchOnce(name, ready)
	} else {
		s.health.watch(name, ready)
	}
}

// written are the topics that hold what transactions write.
func written() (bases []string) {
	for _, t := range schemas.Topics() {
		if t.Base != schemas.Raw {
			bases = append(bases, t.Base)
		}
	}
	return bases
}

func ends(reader *sink.Reader, base string) func(context.Context) (map[int32]int64, error) {
	return func(ctx context.Context) (map[int32]int64, error) { return reader.Ends(ctx, base) }
}

func committed(reader *sink.Reader, group, base string) func(context.Context) (map[int32]int64, error) {
	return func(ctx context.Context) (map[int32]int64, error) { return reader.Committed(ctx, group, base) }
}

// openSlot opens the session of one worker slot.
func (s *service) openSlot(reader *sink.Reader, group, input string) func(context.Context, string, normalize.Watch) (normalize.Slot, error) {
	n := s.config.File.Normalize
	return func(ctx context.Context, id string, watch normalize.Watch) (normalize.Slot, error) {
		if s.life != "" {
			id += "-" + s.life
		}
		_, disposition, err := reader.Partitions(ctx, schemas.DispositionTopic)
		if err != nil {
			return normalize.Slot{}, err
		}
		_, raw, err := reader.Partitions(ctx, schemas.Raw)
		if err != nil {
			return normalize.Slot{}, err
		}
		session, err := sink.OpenSession(ctx, failKafka(s.kafka), sink.SessionOptions{
			Group:              group,
			TransactionalID:    id,
			Input:              input,
			Gather:             input == schemas.Hydrate,
			SessionTimeout:     n.SessionTimeout.AsDuration(),
			Heartbeat:          n.HeartbeatInterval.AsDuration(),
			TransactionTimeout: n.TransactionTimeout.AsDuration(),
			OnAssigned:         watch.Assigned,
			OnRevoked:          watch.Revoked,
		})
		if err != nil {
			return normalize.Slot{}, err
		}
		slot := normalize.Slot{Session: failSession(session), TopicID: session.TopicID(), RawTopicID: raw, DispositionID: disposition, Close: session.Close, Refused: session.Refused}
		if input == schemas.Raw {
			slot.RawTopicID = session.TopicID() // what is read, whatever has happened since
		}
		return slot, nil
	}
}
