package hydrate

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/providers"
)

const (
	// defaultBatch bounds what one worker holds: each task may carry a delivery and an object.
	defaultBatch = 100
	// longestHold is how long tasks may be in hand for the sake of fetches alone.
	longestHold = time.Second
	// pollOn is how long a poll waits while fetches are under way; their end interrupts it.
	pollOn = 250 * time.Millisecond
)

// source is the task topic. It collects tasks while their fetches are under way, and hands all of them
// over as soon as anything can be written: what is still under way then goes round, and finds its answer
// when it comes back.
type source struct {
	o       Options
	reads   *normalize.Interpreter
	vendors map[string]*providers.Provider
	asker   *asker
	metrics *metrics
	log     *slog.Logger
	bell    bell
	latest  map[string]time.Time // per record key, when the last answer came that was written
}

func newSource(o Options, a *asker, m *metrics) *source {
	s := &source{
		o: o, asker: a, metrics: m, log: o.Stage.Logger,
		reads: normalize.NewInterpreter(o.Stage.Providers, o.Stage.Validator, normalize.InterpreterOptions{
			StaleAfter: o.Stage.TTL, MaxRecordBytes: o.Stage.MaxRecordBytes,
		}),
		vendors: make(map[string]*providers.Provider), latest: make(map[string]time.Time),
	}
	for i := range o.Stage.Providers {
		p := &o.Stage.Providers[i]
		s.vendors[p.Name] = p
	}
	return s
}

// Next collects a batch; see normalize.Source.
func (s *source) Next(ctx context.Context, in normalize.Input) ([]*normalize.Reading, error) {
	var hand []*entry
	start, limit := time.Now(), in.Limit
	for {
		records, err := s.poll(ctx, in, hand, limit)
		if err != nil {
			return nil, err
		}
		if len(hand) == 0 && len(records) == 0 {
			return nil, nil
		}
		if hand, err = s.take(in, hand, records); err != nil {
			return nil, err
		}
		now, ready := time.Now(), false
		for _, e := range hand {
			ready = s.advance(e, now) || ready
		}
		if ready || now.Sub(start) >= longestHold || ctx.Err() != nil {
			break
		}
		limit = pollOn
	}
	readings := make([]*normalize.Reading, len(hand))
	for i, e := range hand {
		readings[i] = s.reading(e)
	}
	inOrderOfFetches(hand, readings)
	s.remember(hand)
	return readings, nil
}

// remember notes when each subject's last answer came that is written now.
func (s *source) remember(hand []*entry) {
	if len(s.latest) > latestMost {
		clear(s.latest)
	}
	for _, e := range hand {
		if key := string(e.in.Key); e.stand == stored && e.task.GetFetchedAt() != nil {
			s.latest[key] = later(s.latest[key], e.task.GetFetchedAt().AsTime())
		}
	}
}

// inOrderOfFetches exchanges what is written for the tasks whose answers are stored, so that answers
// stand in the log as they came. One transaction writes them all, so nothing else changes.
func inOrderOfFetches(hand []*entry, readings []*normalize.Reading) {
	var at []int
	for i, e := range hand {
		if e.stand == stored {
			at = append(at, i)
		}
	}
	sorted := slices.SortedStableFunc(slices.Values(at), func(a, b int) int {
		return hand[a].task.GetFetchedAt().AsTime().Compare(hand[b].task.GetFetchedAt().AsTime())
	})
	passes := make([]*normalize.Pass, len(at))
	for n, i := range sorted {
		passes[n] = readings[i].Pass
	}
	for n, i := range at {
		readings[i].Pass = passes[n]
	}
}

// poll adds to what is in hand, and returns early when a fetch of it ends.
func (s *source) poll(ctx context.Context, in normalize.Input, hand []*entry, limit time.Duration) ([]*kgo.Record, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.bell.set(cancel)
	defer s.bell.set(nil)
	for _, e := range hand {
		if e.flight != nil && e.flight.ended() {
			return nil, nil
		}
	}
	if len(hand) >= s.o.Stage.Batch {
		_ = dedupe.Sleep(ctx, limit)
		return nil, nil
	}
	return in.Poll(ctx, limit, s.o.Stage.Batch-len(hand))
}

// pass is a record that moves on as it is.
func pass(as string, topic string, e *entry) *normalize.Reading {
	out := &record.Outgoing{Topic: topic, Message: e.task, Key: e.in.Key, Partition: e.in.Partition, Headers: e.headers}
	return &normalize.Reading{In: e.in, Pass: &normalize.Pass{As: as, Out: []*record.Outgoing{out}}}
}
