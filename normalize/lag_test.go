package normalize

import (
	"context"
	"errors"
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
		{"after a commit", func() { p.reached(0, 9) }, 4},
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
	for _, step := range []struct {
		what   string
		starts map[int32]int64
		do     func()
		want   int64
	}{
		{"the group is ahead of the start", map[int32]int64{0: 10, 1: 7}, func() {}, 0},
		{"five are gone", map[int32]int64{0: 15, 1: 7}, func() {}, 5},
		{"they are not counted again", map[int32]int64{0: 15, 1: 7}, func() {}, 0},
		{"two more", map[int32]int64{0: 17, 1: 7}, func() {}, 2},
		{"reading has gone on", map[int32]int64{0: 17, 1: 7}, func() { p.reached(0, 20); p.reached(1, 9) }, 0},
		{"and fell behind again", map[int32]int64{0: 21, 1: 12}, func() {}, 4},
	} {
		step.do()
		if got := p.expired(step.starts, committed); got != step.want {
			t.Errorf("%s: %d records, want %d", step.what, got, step.want)
		}
	}
}
