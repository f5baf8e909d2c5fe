package sink

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestHealthNoticesSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHealth(10 * time.Second)
		time.Sleep(time.Hour)
		if err := h.down(); err != nil {
			t.Errorf("idle: %v", err)
		}
		h.sent()
		time.Sleep(9 * time.Second)
		if err := h.down(); err != nil {
			t.Errorf("within the patience: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := h.down(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("beyond the patience: %v, want ErrUnavailable", err)
		}
		h.settled(nil)
		if err := h.down(); err != nil {
			t.Errorf("after an acknowledgement: %v", err)
		}
	})
}

// Without traffic nothing but the probe can tell that Kafka went or came back.
func TestHealthProbesWithoutTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		h := newHealth(10 * time.Second)
		var gone atomic.Bool
		var probes atomic.Int32
		go h.run(ctx, func(context.Context) error {
			probes.Add(1)
			if gone.Load() {
				return errors.New("no route")
			}
			return nil
		})
		for _, step := range []struct {
			gone bool
			wait time.Duration
			most int32 // probes
		}{
			{false, time.Minute, 12},
			{true, idleProbeEvery + time.Second, 3},
			{false, 2 * probeEvery, 2},
			{false, time.Minute, 13},
		} {
			gone.Store(step.gone)
			probes.Store(0)
			time.Sleep(step.wait)
			synctest.Wait()
			if err := h.down(); (err != nil) != step.gone {
				t.Errorf("Kafka gone %v, health says %v", step.gone, err)
			}
			if n := probes.Load(); n > step.most {
				t.Errorf("%d probes in %s, want at most %d", n, step.wait, step.most)
			}
		}
		h.sent()
		h.settled(ErrBufferFull)
		synctest.Wait()
		if h.down() == nil {
			t.Error("a failure is not remembered")
		}
		time.Sleep(2 * probeEvery)
		synctest.Wait()
		if err := h.down(); err != nil {
			t.Errorf("after a good probe: %v", err)
		}
	})
}
