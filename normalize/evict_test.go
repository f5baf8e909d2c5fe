package normalize_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
)

// watch looks at a server for a process, until the test ends or stop is called.
func (w *world) watch(s *dedupe.Store) (watch *dedupe.Watch, stop func()) {
	watch = dedupe.NewWatch(s, dedupe.WatchOptions{
		Deployment: "test", Every: 20 * time.Millisecond,
		Watermarks: func(ctx context.Context) (names []string, err error) {
			n, id, err := w.Reader.Partitions(ctx, schemas.Raw)
			for p := range int32(n) {
				names = append(names, dedupe.WatermarkName(normalize.DefaultGroup, id, w.IDs[schemas.DispositionTopic], p))
			}
			return names, err
		},
	})
	watch.Look(w.Ctx)
	ctx, cancel := context.WithCancel(w.Ctx)
	done := make(chan struct{})
	go func() { defer close(done); watch.Run(ctx) }()
	stop = func() { cancel(); <-done }
	w.T.Cleanup(stop)
	return watch, stop
}

// TestEvictedMarksAreWrittenAgain: somebody lets a server drop keys while it runs, and it does. Nothing is claimed
// until its policy is right, and then what it dropped is written again before a copy is decided: by processes that
// were there, and by one that was not.
func TestEvictedMarksAreWrittenAgain(t *testing.T) {
	for _, policy := range []string{"volatile-ttl", "allkeys-lru"} {
		for _, there := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, process there %v", policy, there), func(t *testing.T) {
				t.Parallel()
				addr := normalizetest.StartRedis(t)
				w := newWorld(t, 2)
				start := func() (p *process, stop func()) {
					s := normalizetest.StoreAt(t, addr)
					watch, unwatch := w.watch(s)
					p = w.start(0, func(o *normalize.Options) { o.Claims, o.Health, o.Kept = s, s, watch })
					return p, func() {
						unwatch()
						if err := p.stop(); err != nil {
							t.Error(err)
						}
					}
				}
				p, stop := start()
				var want []string
				send := func() {
					for n := range 40 {
						w.send(int32(n%2), said{Subject: fmt.Sprint(n % 2), ID: fmt.Sprint(n), Text: "x"})
					}
				}
				send()
				for n := range 40 {
					want = append(want, fmt.Sprintf("%d/x", n))
				}
				w.settle()
				w.Await("the normaliser is ready", func() bool { return p.n.Ready() == nil })
				if !there {
					stop()
				}
				normalizetest.Tell(t, addr, "CONFIG SET maxmemory-policy "+policy)
				if there {
					w.Await("readiness says what to set", func() bool {
						err := p.n.Ready()
						return err != nil && strings.Contains(err.Error(), "CONFIG SET maxmemory-policy noeviction")
					})
					for p := range int32(2) {
						w.send(p, said{Subject: fmt.Sprint(p), ID: fmt.Sprint(100 + p), Text: "x"})
					}
					w.Await("what came meanwhile waits", func() bool {
						err := p.n.Ready()
						return err != nil && strings.Contains(err.Error(), "topic kyc.raw.v1, partition(s) [0 1]")
					})
				}
				normalizetest.Tell(t, addr, "CONFIG SET maxmemory 1")
				w.Await("the server evicts", func() bool { return !strings.Contains(normalizetest.Info(t, addr, "stats"), "evicted_keys:0\r") })
				w.expectEvents(want...)
				normalizetest.Tell(t, addr, "CONFIG SET maxmemory 0")
				normalizetest.Tell(t, addr, "CONFIG SET maxmemory-policy noeviction")
				if !there {
					p, _ = start()
				}
				w.Await("the normaliser is ready again", func() bool { return p.n.Ready() == nil })
				send()
				w.settle()
				if there {
					want = append(want, "100/x", "101/x")
				}
				w.expectEvents(want...)
				w.audit()
			})
		}
	}
}
