package operate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// ReplayQuery chooses what to replay, and how.
type ReplayQuery struct {
	ID     string // the label of what is written; the same one goes on with a replay that was cut off
	Mode   replay.Mode
	Select replay.Selection
	DryRun bool // nothing is written, to Kafka or to Redis

	Begins   func()                // called once all is open, before anything is written; may be nil
	Progress func(replay.Progress) // may be nil
}

// Validate finds what cannot be replayed, without touching the network.
func (q ReplayQuery) Validate() error {
	o := q.options()
	o.Claims = (*dedupe.Store)(nil) // stands for the one that is opened later
	return o.Validate()
}

func (q ReplayQuery) options() replay.Options {
	return replay.Options{ID: q.ID, Mode: q.Mode, Select: q.Select, DryRun: q.DryRun, Progress: q.Progress}
}

// Replay takes raw deliveries through the current mappings once more. With an error
// there is a report of what was done before, unless the replay never began.
func Replay(ctx context.Context, s Servers, q ReplayQuery) (*replay.Report, error) {
	return s.replay(ctx, q, nil)
}

// replay takes letters in place of raw deliveries that are gone.
func (s Servers) replay(ctx context.Context, q ReplayQuery, letters map[int32][]replay.Letter) (*replay.Report, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	o := q.options()
	o.Letters = letters
	if q.Mode == replay.FillGaps {
		store, err := s.openStore(ctx)
		if err != nil {
			return nil, err
		}
		defer store.Close()
		o.Claims = store
	}
	forms, err := s.Schemas.Forms(ctx, s.Forms)
	if err != nil {
		return nil, err
	}
	reader, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	o.Pepper, o.NormalizeGroup, o.HydrateGroup = s.Limits.Pepper, normalize.DefaultGroup, hydrate.DefaultGroup
	o.Former, o.FormerTasks = s.Limits.Former, s.Limits.FormerTasks
	o.Providers, o.Validator, o.Hydrates = s.Vendors, contract.NewValidator(), s.Limits.Hydrates
	o.ReferenceAsIs = s.Limits.ReferenceAsIs
	o.Forms, o.StaleAfter, o.MaxRecordBytes = forms, s.Limits.StaleAfter, s.Limits.MaxRecordBytes
	if o.Forms == nil { // nothing is configured: as it is done where it is
		if o.Forms, err = reader.forms(ctx); err != nil {
			return nil, err
		}
	}
	o.Open = s.openWriter
	o.Taken = func(err error) bool { return errors.Is(err, sink.ErrFenced) }
	if o.Topics, err = reader.replayTopics(ctx); err != nil {
		return nil, err
	}
	if q.Begins != nil && !q.DryRun {
		q.Begins()
	}
	return replay.Run(ctx, o)
}

func (s Servers) openStore(ctx context.Context) (*dedupe.Store, error) {
	store, err := dedupe.NewStore(s.Redis)
	if err != nil {
		return nil, err
	}
	if err := store.Check(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("redis at %s: %w", strings.Join(s.Redis.Addresses, ", "), err), store.Close())
	}
	return store, nil
}

func (s Servers) openWriter(ctx context.Context, id string) (*replay.Writer, error) {
	t, err := sink.OpenTransactor(ctx, s.Kafka, id, s.Limits.TransactionTimeout)
	if err != nil {
		return nil, err
	}
	return replay.NewWriter(t, t.Close), nil
}

// replayTopics is what a replay reads.
func (r *topicReader) replayTopics(ctx context.Context) (replay.Topics, error) {
	partitions, raw, err1 := r.Partitions(ctx, schemas.Raw)
	_, tasks, err2 := r.Partitions(ctx, schemas.Hydrate)
	_, dispositions, err3 := r.Partitions(ctx, schemas.DispositionTopic)
	return replay.Topics{
		Partitions: int32(partitions), RawName: r.kafka.Topic(schemas.Raw),
		RawID: raw, HydrateID: tasks, DispositionID: dispositions,
		Starts: func(ctx context.Context) (map[int32]int64, error) { return r.Starts(ctx, schemas.Raw) },
		After: func(ctx context.Context, t time.Time) (map[int32]int64, error) {
			return r.OffsetsAt(ctx, schemas.Raw, t)
		},
		Committed: func(ctx context.Context) (map[int32]int64, error) {
			return r.Committed(ctx, normalize.DefaultGroup, schemas.Raw)
		},
		Waiting: func(ctx context.Context, base string) (map[int32]int64, error) {
			return r.Committed(ctx, hydrate.DefaultGroup, base)
		},
		Bounds: r.Bounds,
		Scan: func(ctx context.Context, base string, partition int32, from record.ScanFrom, fn func(normalize.RawRecord) error) error {
			_, err := r.ScanRecords(ctx, base, partition, from, func(one record.Record) error {
				return fn(rawRecord(one))
			})
			return err
		},
	}, errors.Join(err1, err2, err3)
}
