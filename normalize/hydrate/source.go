package hydrate

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/normalize"
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
	wakeup  normalize.Wakeup     // woken by the fetches of tasks in hand
	latest  map[string]time.Time // per record key, when the last answer came that was written

	hand  []*entry // the batch
	began time.Time
}

func newSource(o Options, a *asker, m *metrics) *source {
	s := &source{
		o: o, asker: a, metrics: m, log: o.Stage.Logger,
		reads: normalize.NewInterpreter(o.Stage.Providers, o.Stage.Validator, normalize.InterpreterOptions{
			StaleAfter: o.Stage.TTL, MaxRecordBytes: o.Stage.MaxRecordBytes, Encoder: o.Stage.Encoder,
		}),
		vendors: make(map[string]*providers.Provider), latest: make(map[string]time.Time),
	}
	for i := range o.Stage.Providers {
		p := &o.Stage.Providers[i]
		s.vendors[p.Name] = p
	}
	return s
}

// Begin implements normalize.Source.
func (s *source) Begin() normalize.Poll {
	s.hand, s.began = nil, time.Now()
	return normalize.Poll{Max: s.o.Stage.Batch, Wakeup: &s.wakeup}
}

// Take implements normalize.Source: it collects until anything can be written.
func (s *source) Take(ctx context.Context, in normalize.Input, polled []*kgo.Record) (normalize.Next, error) {
	if len(s.hand) == 0 && len(polled) == 0 {
		return normalize.Idle{}, nil
	}
	switch back, err := s.openAll(in, polled); {
	case err != nil:
		return nil, err
	case back != nil:
		return *back, nil
	}
	now, ready := time.Now(), false
	for _, e := range s.hand {
		ready = s.advance(e, now) || ready
	}
	if !ready && now.Sub(s.began) < longestHold && ctx.Err() == nil {
		return normalize.Poll{Max: s.o.Stage.Batch - len(s.hand), Limit: pollOn, Wakeup: &s.wakeup}, nil
	}
	return s.process()
}

// process is what becomes of the batch now.
func (s *source) process() (normalize.Next, error) {
	readings := make([]*normalize.Reading, len(s.hand))
	for i, e := range s.hand {
		var err error
		if readings[i], err = s.reading(e); err != nil {
			return nil, err
		}
	}
	inOrderOfFetches(s.hand, readings)
	s.remember(s.hand)
	return normalize.Process{Readings: readings}, nil
}

// remember notes when each subject's last answer came that is written now.
func (s *source) remember(hand []*entry) {
	if len(s.latest) > latestMost {
		clear(s.latest)
	}
	for _, e := range hand {
		if key := string(e.in.Key); e.state == stored && e.task.GetFetchedAt() != nil {
			s.latest[key] = later(s.latest[key], e.task.GetFetchedAt().AsTime())
		}
	}
}

// inOrderOfFetches reorders what is written for the tasks whose answers are stored, so that answers
// are in the log in the order in which they came. One transaction writes them all, so nothing else changes.
func inOrderOfFetches(hand []*entry, readings []*normalize.Reading) {
	var at []int
	for i, e := range hand {
		if e.state == stored {
			at = append(at, i)
		}
	}
	sorted := slices.SortedStableFunc(slices.Values(at), func(a, b int) int {
		return hand[a].task.GetFetchedAt().AsTime().Compare(hand[b].task.GetFetchedAt().AsTime())
	})
	outcomes := make([]normalize.Outcome, len(at))
	for n, i := range sorted {
		outcomes[n] = readings[i].Outcome
	}
	for n, i := range at {
		readings[i].Outcome = outcomes[n]
	}
}
