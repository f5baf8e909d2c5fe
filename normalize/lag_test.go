package normalize

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// An idle slot notices nothing when Kafka goes away: its polls bring no record, as before.
func TestReadinessNoticesKafkaWhileIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		n := &Normalizer{workers: []*worker{{}}, o: Options{Ends: func(context.Context) (map[int32]int64, error) {
			if away.Load() {
				return nil, errors.New("connection refused")
			}
			return nil, nil
		}}}
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
	n := &Normalizer{workers: []*worker{{}}, o: Options{
		Ends:      func(context.Context) (map[int32]int64, error) { return map[int32]int64{0: 10, 1: 3}, nil },
		Committed: func(context.Context) (map[int32]int64, error) { return map[int32]int64{0: 4}, nil },
	}}
	p := &n.workers[0].progress
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
		if got, err := n.lag(t.Context()); err != nil || got != step.want {
			t.Errorf("%s: lag %d, %v, want %d", step.what, got, err, step.want)
		}
	}
}
