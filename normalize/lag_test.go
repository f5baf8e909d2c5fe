package normalize

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
)

// offsetsOf is a Log without a history.
type offsetsOf func() (Offsets, error)

func (o offsetsOf) Offsets(context.Context) (Offsets, error) { return o() }

func (offsetsOf) History(context.Context, int32, record.ScanFrom, func(int64, []byte) error) (int64, error) {
	return 0, nil
}

func (offsetsOf) Bounds(context.Context, int32) (dedupe.Bounds, error) { return dedupe.Bounds{}, nil }

// An idle slot notices nothing when Kafka goes away: its polls bring no record, as before.
func TestReadinessNoticesKafkaWhileIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		n := &Normalizer{workers: []*worker{{}}, o: Options{Log: offsetsOf(func() (at Offsets, err error) {
			if away.Load() {
				err = errors.New("connection refused")
			}
			return at, err
		})}}
		var err error
		if n.metrics, err = newMetrics("kycbridge_normalize", prometheus.NewRegistry(), n.workers); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go n.watchLag(ctx)
		for _, gone := range []bool{false, true, false} {
			away.Store(gone)
			time.Sleep(lagEvery + time.Second)
			synctest.Wait()
			if err := n.Ready(); errors.Is(err, ErrKafka) != gone {
				t.Errorf("Kafka away %v, readiness says %v", gone, err)
			}
		}
	})
}

// storeThat is a watch over the store that has found something.
type storeThat struct{ down, unfit error }

func (s storeThat) Down() error  { return s.down }
func (s storeThat) Unfit() error { return s.unfit }

// A slot that has nothing to claim asks the store for nothing, and so does not notice that it is gone: a process of
// the hydrate stage alone called itself ready.
func TestReadinessNoticesTheStoreWhileIdle(t *testing.T) {
	away := fmt.Errorf("%w: connection refused", dedupe.ErrUnavailable)
	var decides dedupe.Store
	n := &Normalizer{o: Options{Claims: &decides, Kept: storeThat{down: away}}}
	if err := n.Ready(); !errors.Is(err, dedupe.ErrUnavailable) {
		t.Errorf("the store is away, readiness says %v", err)
	}
	n.o.Claims = nil
	if err := n.Ready(); err != nil {
		t.Errorf("a stage without claims needs no store, readiness says %v", err)
	}
}

// An unfit store is asked for nothing, however well it answers.
func TestUnfitStoreIsNotAsked(t *testing.T) {
	unfit := fmt.Errorf("%w: maxmemory-policy is allkeys-lru", dedupe.ErrUnavailable)
	_, err := timed{kept: storeThat{unfit: unfit}}.Exchange(t.Context(), dedupe.Round{}) // would panic: there is none
	if !errors.Is(err, unfit) {
		t.Errorf("a round ended with %v, expected why there is none", err)
	}
}

func TestLagCountsPartitionsWithoutACommitOfOurs(t *testing.T) {
	ends, committed := map[int32]int64{0: 10, 1: 3}, map[int32]int64{0: 4}
	p := &progress{}
	for _, step := range []struct {
		what string
		do   func()
		want int64
	}{
		{"no partition", func() {}, 0},
		{"one of which the group has read 4 of 10", func() { p.begin(0) }, 6},
		{"and one nobody has read", func() { p.begin(1) }, 9},
		{"after a commit", func() { p.reached(0, 9, time.Time{}) }, 4},
		{"another session without partitions", func() { p.reset() }, 0},
	} {
		step.do()
		if got := p.lag(ends, committed); got != step.want {
			t.Errorf("%s: lag %d, want %d", step.what, got, step.want)
		}
	}
}

// What retention removed is counted once, whoever finds the partition.
func TestExpiredRecordsAreCounted(t *testing.T) {
	p := &progress{}
	p.begin(0)
	p.begin(1)
	committed := map[int32]int64{0: 10}
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for _, step := range []struct {
		what   string
		starts map[int32]int64
		do     func()
		want   string
	}{
		{"the group is ahead of the start", map[int32]int64{0: 10, 1: 7}, func() {}, ""},
		{"five are gone", map[int32]int64{0: 15, 1: 7}, func() {}, "0@10-15 "},
		{"they are not counted again", map[int32]int64{0: 15, 1: 7}, func() {}, ""},
		{"two more", map[int32]int64{0: 17, 1: 7}, func() {}, "0@15-17 "},
		{"reading has gone on", map[int32]int64{0: 17, 1: 7}, func() { p.reached(0, 20, noon); p.reached(1, 12, noon) }, ""},
		{"and fell behind again", map[int32]int64{0: 21, 1: 12}, func() {}, "0@20-21 after 12:00"},
		{"and the partition went and came", map[int32]int64{0: 25}, func() { p.forget(0); p.begin(0); committed[0] = 23 }, "0@23-25 "},
	} {
		step.do()
		got := ""
		for _, e := range p.expired(step.starts, committed) {
			if got += fmt.Sprintf("%d@%d-%d ", e.partition, e.from, e.to); !e.after.IsZero() {
				got += "after " + e.after.Format("15:04")
			}
		}
		if got != step.want {
			t.Errorf("%s: %q, want %q", step.what, got, step.want)
		}
	}
}

// The line about it says which records are gone and when they arrived, as far as that is known.
func TestExpiredRecordsAreLoggedWithTheirTime(t *testing.T) {
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	var line strings.Builder
	w := &worker{log: slog.New(slog.NewTextHandler(&line, nil))}
	w.progress.reached(3, 10, noon)
	n := &Normalizer{workers: []*worker{w}}
	var err error
	if n.metrics, err = newMetrics("kycbridge_normalize", prometheus.NewRegistry(), n.workers); err != nil {
		t.Fatal(err)
	}
	at := Offsets{Starts: map[int32]int64{3: 15}, Oldest: func(_ context.Context, p int32) (time.Time, error) {
		return noon.Add(time.Duration(p) * time.Hour), nil
	}}
	n.countExpired(t.Context(), at)
	if got := line.String(); !strings.HasSuffix(got, " partition=3 records=5 first=10 last=14 received_after=2026-05-04T12:00:00.000Z received_before=2026-05-04T15:00:00.000Z\n") {
		t.Errorf("the line is %q", got)
	}
	at.Starts[3], at.Oldest = 16, nil
	line.Reset()
	n.countExpired(t.Context(), at)
	if got := line.String(); !strings.Contains(got, "records=1 first=15 last=15 received_after=") || strings.Contains(got, "before=") {
		t.Errorf("without the log's answer, the line is %q", got)
	}
}
