package serve

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/ingest"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/sink"
)

// The waits at start are bounded: a process that cannot reach what it needs
// ends with an error instead of looking alive.
const (
	topicsLimit = time.Minute     // creating and checking topics, once Kafka answers
	redisLimit  = 5 * time.Second // until Redis answers
)

var errNotYet = errors.New("not asked yet")

// open brings up what the role needs, the shared part first.
func (s *service) open(ctx context.Context) error {
	s.health.watch("config", func() error { return nil }) // it was read, or the process would have ended
	topics := s.health.expect("topics", errNotYet)
	kafka := s.health.expect("kafka", errNotYet)
	s.kafka = s.Config.KafkaOptions(s.Log)
	s.kafka.Hooks = append(s.kafka.Hooks, newKafkaMetrics(s.registry))
	if s.Role.Ingest {
		if err := s.checkIngest(); err != nil {
			return err
		}
	}
	if s.Role.Hydrate {
		if err := Check(s.Config); err != nil {
			return err
		}
	}
	if !s.TopicsReady {
		if err := s.openTopics(ctx); err != nil {
			return err
		}
	}
	if err := s.openReader(ctx); err != nil {
		return err
	}
	topics.set(nil)
	kafka.set(nil)
	if s.Role.Works() {
		if err := s.openWorkers(ctx); err != nil {
			return err
		}
	}
	if s.Role.Ingest {
		if err := s.openIngest(ctx); err != nil {
			return err
		}
	}
	s.reportParts()
	return nil
}

// reportParts lets /readyz name what goes down later. Kafka's absence takes ingest out
// of the rotation only where that is configured. The normalizer's troubles never do so
// in a process that also receives deliveries: with an empty rotation, the load balancer
// decides what vendors are answered.
func (s *service) reportParts() {
	s.health.report("topics", s.topics.down)
	s.health.report("kafka", func() error {
		var errs []error
		if s.ingest != nil {
			errs = append(errs, s.ingest.LogDown())
		}
		return errors.Join(append(errs, s.workersDown(normalize.ErrKafka), s.workersDown(normalize.ErrSession), s.workersDown(normalize.ErrRefused))...)
	})
	if s.Role.Works() {
		s.health.report("redis", func() error { return s.workersDown(dedupe.ErrUnavailable) })
		s.health.report("repair", func() error { return s.workersDown(normalize.ErrRepairing) })
	}
	if s.normalizer != nil {
		s.health.mention("transactions", s.normalizer.Held)
	}
}

// workersDown is what keeps the workers from being ready, as far as it is of a kind.
func (s *service) workersDown(kind error) error {
	var errs []error
	if s.normalizer != nil {
		errs = append(errs, only(s.normalizer.Ready(), kind))
	}
	if s.hydrator != nil {
		errs = append(errs, only(s.hydrator.Ready(), kind))
	}
	return errors.Join(errs...)
}

// openReader connects what looks at topics, and takes the first look at them.
func (s *service) openReader(ctx context.Context) (err error) {
	if s.reader, err = sink.OpenReader(ctx, s.kafka); err != nil {
		return err
	}
	s.onClose(func() error { s.reader.Close(); return nil })
	s.topics, err = s.newTopicsWatch(ctx)
	return err
}

// openTopics creates missing topics where that is configured, and checks them.
func (s *service) openTopics(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, topicsLimit)
	defer cancel()
	settings, check := s.Config.TopicSettings(), sink.CheckTopics
	if !s.Role.Works() {
		settings.MarkLife = 0 // it makes no marks, and must take deliveries
	}
	if s.Config.File.Topics.CreateMissing {
		if err := sink.CheckPrefix(ctx, s.kafka); err != nil {
			return err
		}
		created, err := sink.CreateTopics(ctx, s.kafka, settings)
		if err != nil {
			return err
		}
		check = sink.CheckCreated
		if len(created) > 0 {
			s.Log.Info("created topics", "topics", created)
		}
	}
	warnings, err := check(ctx, s.kafka, settings)
	for _, text := range warnings {
		s.Log.Warn(text)
	}
	return err
}

// checkIngest finds what is wrong with the endpoints before Kafka is asked for
// anything; its log is a dummy that is never used.
func (s *service) checkIngest() error {
	o := ingestOptions(s.Config)
	o.Log = (*sink.RawLog)(nil)
	_, err := ingest.New(o)
	return err
}

func (s *service) openIngest(ctx context.Context) error {
	var budget time.Duration
	for _, e := range s.Config.Endpoints {
		budget = max(budget, e.Vendor.Ack.Budget())
	}
	log, err := sink.OpenRawLog(ctx, failKafka(s.kafka), sink.RawLogOptions{
		DeliveryTimeout:  budget + time.Second,
		MaxBufferedBytes: s.Config.File.Ingest.MaxWaitingBodyBytes,
	})
	if err != nil {
		return err
	}
	o := ingestOptions(s.Config)
	o.Log, o.Logger, o.Registerer = failLog(log), s.Log, s.registry
	if err := s.limitDescriptors(&o); err != nil {
		return errors.Join(err, log.Close(ctx))
	}
	if s.Guard != nil {
		o.Guard = s.Guard.Handler
	}
	if s.ingest, err = ingest.New(o); err != nil {
		return errors.Join(err, log.Close(ctx))
	}
	s.health.watch("ingest", s.ingest.Ready)
	return nil
}

func (s *service) limitDescriptors(o *ingest.Options) error {
	descriptors, err := openFiles()
	if err != nil {
		return err
	}
	return limitConnections(o, descriptors, s.Log)
}

// openStore connects to Redis and refuses one that is unsuitable. If Redis is down at
// start, that is an error after a while; later outages are waited out.
func (s *service) openStore(ctx context.Context) (*dedupe.Store, error) {
	dedupe.LogTo(s.Log)
	o := s.Config.RedisOptions()
	store, err := dedupe.NewStore(o)
	if err != nil {
		return nil, err
	}
	s.onClose(store.Close)
	place := strings.Join(o.Addresses, ", ")
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	for why := error(nil); ; {
		err := store.Check(ctx)
		switch {
		case err == nil:
			return store, nil
		case errors.Is(err, dedupe.ErrUnsuitable):
			return nil, fmt.Errorf("redis at %s: %w", place, err)
		case ctx.Err() == nil || why == nil:
			why = err // the last answer that is not just the end of our patience
		}
		s.Log.Debug("waiting for Redis", "error", err)
		if dedupe.Sleep(ctx, time.Second) != nil {
			return nil, fmt.Errorf("redis does not answer at %s (%w): %s", place, why, dedupe.Advice(why))
		}
	}
}
