package simulate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/complycube"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// replay names the replay of a step. Most fill gaps, one emits again.
func (s step) replay() string {
	if n := s.who % replays; n > 0 {
		return fmt.Sprintf("fill-%d", n)
	}
	return "emit-0"
}

func modeOf(replayID string) replay.Mode {
	if replayID == "emit-0" {
		return replay.ReEmit
	}
	return replay.FillGaps
}

// startReplay has an operator start a replay, or continue one, that the step may end early: at a request, after
// a while, by order. Some operators have the wrong pepper.
func (w *world) startReplay(ctx context.Context, s step) {
	id := s.replay()
	p, life := w.newProcess(id)
	if s.key == 0 && s.n == 4 && modeOf(id) == replay.FillGaps {
		p.pepper = wrongPepper
	}
	w.hosts[replayer].set(p)
	w.mu.Lock()
	w.replays[p] = id
	w.mu.Unlock()
	w.wg.Go(func() {
		report, err := w.replay(life, p, id, func() { w.endEarly(ctx, p, s) })
		w.replayed(p, report, err)
		p.cancel()
		p.end(err)
	})
}

// endEarly sets what ends a replay.
func (w *world) endEarly(ctx context.Context, p *process, s step) {
	switch {
	case s.key != 0:
		w.trap(ctx, p, s, func() {})
	case s.n == 1:
		w.later(ctx, s.last/5, p.kill)
	case s.n == 2:
		w.later(ctx, s.last/5, p.cancel)
	}
}

// replayed notes how a replay ended.
func (w *world) replayed(p *process, report *replay.Report, err error) {
	w.notePepper(p, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	id := w.replays[p]
	delete(w.replays, p)
	w.begun[id] = w.begun[id] || p.pepper == pepper
	if err != nil {
		w.trace.add("%s ended: %v", p.name, err)
		return
	}
	if p.pepper != pepper && report.Transactions > 0 {
		w.wrong = append(w.wrong, fmt.Sprintf("%s wrote with another pepper", p.name))
	}
	w.trace.add("%s is through: %d transactions, %+v", p.name, report.Transactions, report.Counts)
}

// replay opens what the command opens, and replays everything there is.
func (w *world) replay(ctx context.Context, p *process, id string, opened func()) (*replay.Report, error) {
	kafka := w.kafkaOf(p)
	store, err := w.openStore(p)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	reader, err := openBoth(ctx, store, kafka)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	topics, err := replayTopics(ctx, reader)
	if err != nil {
		return nil, err
	}
	opened()
	return replay.Run(ctx, replay.Options{
		ID: id, Mode: modeOf(id), Topics: topics, Batch: 20, Kind: w.mutant.replays, Now: p.now,
		Open: func(ctx context.Context, transactionalID string) (*replay.Writer, error) {
			t, err := sink.OpenTransactor(ctx, kafka, transactionalID, 0)
			if err != nil {
				return nil, err
			}
			return replay.NewWriter(t, t.Close), nil
		},
		Taken:  func(err error) bool { return errors.Is(err, sink.ErrFenced) },
		Claims: store, Pepper: secret.Of(p.pepper), NormalizeGroup: normalize.DefaultGroup, HydrateGroup: hydrate.DefaultGroup,
		Wait: 2 * time.Second, Providers: []providers.Provider{complycube.Provider}, Validator: w.rules, StaleAfter: claimTTL,
	})
}

// replayTopics is what a replay reads.
func replayTopics(ctx context.Context, r *sink.Reader) (replay.Topics, error) {
	_, raw, err1 := r.Partitions(ctx, schemas.Raw)
	_, tasks, err2 := r.Partitions(ctx, schemas.Hydrate)
	_, dispositions, err3 := r.Partitions(ctx, schemas.DispositionTopic)
	return replay.Topics{
		Partitions: partitions, RawName: schemas.DefaultPrefix + schemas.Raw,
		RawID: raw, HydrateID: tasks, DispositionID: dispositions,
		Bounds: normalizetest.Log{Reader: r}.Bounds,
		Starts: func(ctx context.Context) (map[int32]int64, error) { return r.Starts(ctx, schemas.Raw) },
		After: func(ctx context.Context, t time.Time) (map[int32]int64, error) {
			return r.OffsetsAt(ctx, schemas.Raw, t)
		},
		Committed: func(ctx context.Context) (map[int32]int64, error) {
			return r.Committed(ctx, normalize.DefaultGroup, schemas.Raw)
		},
		Scan: func(ctx context.Context, base string, partition int32, from record.ScanFrom, fn func(normalize.RawRecord) error) error {
			_, err := r.Scan(ctx, base, partition, from, func(one *kgo.Record) error { return fn(normalize.RecordOf(one, [16]byte{})) })
			return err
		},
	}, errors.Join(err1, err2, err3)
}

const (
	finalReplay = "fill-last"
	idleReplay  = "fill-none" // has nothing left to do
	finalTries  = 20
)

// finish ends what replays there were, then fills what gaps there are, and returns what is wrong with that.
func (w *world) finish() (wrong []string) {
	ids := []string{finalReplay, idleReplay}
	for n := range replays {
		if id := (step{who: n}).replay(); w.begun[id] {
			ids = append([]string{id}, ids...)
		}
	}
	for _, id := range ids {
		report, err := w.finishOne(id)
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Sprintf("replay %s ends again and again: %v", id, err))
		case report.Of(replay.Contended) > 0:
			wrong = append(wrong, fmt.Sprintf("replay %s finds records that somebody else has: %+v", id, report.Counts))
		case id == idleReplay && report.Transactions > 0:
			wrong = append(wrong, fmt.Sprintf("a replay that had nothing to do wrote: %+v", report.Counts))
		}
	}
	return wrong
}

func (w *world) finishOne(id string) (report *replay.Report, err error) {
	for range finalTries {
		p, ctx := w.newProcess(id)
		report, err = w.replay(ctx, p, id, func() {})
		p.cancel()
		p.end(err)
		if err == nil && report.Of(replay.Contended) == 0 {
			w.trace.add("%s is through at last: %d transactions, %+v", p.name, report.Transactions, report.Counts)
			return report, nil
		}
		w.trace.add("%s ended: %v", p.name, err)
		if errors.Is(err, dedupe.ErrIncomplete) { // says what to do: a stage writes its marks when it starts
			for _, h := range w.hosts[:normalizers] {
				h.current().cancel()
			}
		}
		wait(w.ctx, 30*time.Second)
	}
	return report, err
}

// awaitReplays waits until those under way have ended, and reports whether they did within the limit.
func (w *world) awaitReplays() bool {
	for begin := time.Now(); time.Since(begin) < calmLimit; wait(w.ctx, time.Second) {
		w.mu.Lock()
		left := len(w.replays)
		w.mu.Unlock()
		if left == 0 {
			return true
		}
	}
	return false
}
