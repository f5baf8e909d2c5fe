package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// openReplay connects to what a replay needs. end closes it.
func openReplay(ctx context.Context, env *environment, f replayFlags) (o replay.Options, end func(), err error) {
	cfg, err := replayConfig(env, f)
	if err != nil {
		return o, nil, err
	}
	kafka, err := f.kafka(env, "replay")
	if err != nil {
		return o, nil, err
	}
	validator, err := contractRules()
	if err != nil {
		return o, nil, err
	}
	var store *dedupe.Store
	if f.mode == string(replay.FillGaps) {
		if store, err = replayStore(ctx, cfg); err != nil {
			return o, nil, err
		}
		o.Claims = store
	}
	reader, err := sink.OpenReader(ctx, kafka)
	if err != nil {
		return o, nil, errors.Join(readTrouble(kafka, err), closeStore(store))
	}
	end = func() { reader.Close(); _ = closeStore(store) }
	o.ID, o.Mode, o.Select, o.DryRun = f.id, replay.Mode(f.mode), f.selection, f.dryRun
	o.Letters = f.letters
	o.Pepper, o.NormalizeGroup, o.HydrateGroup = cfg.Pepper.Reveal(), normalize.DefaultGroup, hydrate.DefaultGroup
	o.Providers, o.Validator, o.Hydrates = catalog.All(), validator, cfg.Hydrates()
	o.StaleAfter, o.MaxRecordBytes = cfg.File.Dedupe.Ttl.AsDuration(), cfg.MaxRecordBytes()
	if f.config == "" {
		o.Hydrates = func(string) bool { return true } // `dev` plays every vendor's API
	}
	o.Open = func(ctx context.Context, id string) (*replay.Writer, error) {
		t, err := sink.OpenTransactor(ctx, kafka, id, cfg.File.Normalize.TransactionTimeout.AsDuration())
		if err != nil {
			return nil, err
		}
		return replay.NewWriter(t, t.Close), nil
	}
	o.Taken = func(err error) bool { return errors.Is(err, sink.ErrFenced) }
	if o.Topics, err = replayTopics(ctx, reader, kafka); err != nil {
		end()
		return o, nil, readTrouble(kafka, err)
	}
	return o, end, nil
}

// contractRules are those every record must keep.
func contractRules() (protovalidate.Validator, error) {
	rules, err := contract.NewValidator()
	if err != nil {
		return nil, fmt.Errorf("the rules of the contract do not compile: %w", err)
	}
	return rules, nil
}

func closeStore(s *dedupe.Store) error {
	if s == nil {
		return nil
	}
	return s.Close()
}

// replayConfig is the file's, or what `dev` has.
func replayConfig(env *environment, f replayFlags) (*config.Config, error) {
	if f.config != "" {
		return loadConfig(env, f.config, config.Needs{Normalize: true})
	}
	if f.mode == string(replay.FillGaps) && f.redis == "" {
		return nil, usagef("filling gaps makes claims in Redis: say --config FILE, or --redis HOST:PORT for `dev`, which prints where its Redis is")
	}
	kafka, err := f.kafka(env, "replay")
	if err != nil {
		return nil, err
	}
	m := &configv1.Config{Kafka: &configv1.Kafka{Brokers: kafka.Brokers}, Redis: &configv1.Redis{Address: f.redis}}
	return config.Build("replay", m, config.Needs{Vendors: catalog.All()})
}

func replayStore(ctx context.Context, cfg *config.Config) (*dedupe.Store, error) {
	dedupe.LogTo(slog.New(slog.DiscardHandler))
	store, err := dedupe.NewStore(cfg.RedisOptions())
	if err != nil {
		return nil, err
	}
	if err := store.Check(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("redis at %s: %w", strings.Join(cfg.RedisOptions().Addresses, ", "), err), store.Close())
	}
	return store, nil
}

// replayTopics is what a replay reads, over a reader.
func replayTopics(ctx context.Context, reader *sink.Reader, kafka sink.Options) (replay.Topics, error) {
	partitions, raw, err1 := reader.Partitions(ctx, schemas.Raw)
	_, tasks, err2 := reader.Partitions(ctx, schemas.Hydrate)
	_, dispositions, err3 := reader.Partitions(ctx, schemas.DispositionTopic)
	return replay.Topics{
		Partitions: int32(partitions), RawName: kafka.Topic(schemas.Raw),
		RawID: raw, HydrateID: tasks, DispositionID: dispositions,
		Starts: func(ctx context.Context) (map[int32]int64, error) { return reader.Starts(ctx, schemas.Raw) },
		After: func(ctx context.Context, t time.Time) (map[int32]int64, error) {
			return reader.OffsetsAt(ctx, schemas.Raw, t)
		},
		Committed: func(ctx context.Context) (map[int32]int64, error) {
			return reader.Committed(ctx, normalize.DefaultGroup, schemas.Raw)
		},
		Waiting: func(ctx context.Context, base string) (map[int32]int64, error) {
			return reader.Committed(ctx, hydrate.DefaultGroup, base)
		},
		Scan: func(ctx context.Context, base string, partition int32, from replay.Position, fn func(normalize.RawRecord) error) error {
			_, err := reader.Scan(ctx, base, partition, sink.Start{Offset: from.Offset, Time: from.Since}, func(r *kgo.Record) error {
				return fn(normalize.RecordOf(r, [16]byte{}))
			})
			return err
		},
	}, errors.Join(err1, err2, err3)
}
