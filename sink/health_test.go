package sink

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestHealthNoticesSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHealth(10 * time.Second)
		time.Sleep(time.Hour)
		if err := h.away(); err != nil {
			t.Errorf("idle: %v", err)
		}
		h.sent()
		time.Sleep(9 * time.Second)
		if err := h.away(); err != nil {
			t.Errorf("within the patience: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := h.away(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("beyond the patience: %v, want ErrUnavailable", err)
		}
		h.settled(nil)
		if err := h.away(); err != nil {
			t.Errorf("after an acknowledgement: %v", err)
		}
	})
}

// Without traffic nothing but the probe can tell that Kafka is back.
func TestHealthRecoversByProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		h := newHealth(10 * time.Second)
		probes := 0
		go h.run(ctx, func(context.Context) error {
			if probes++; probes < 3 {
				return errors.New("still away")
			}
			return nil
		})
		time.Sleep(time.Minute)
		if probes != 0 {
			t.Fatalf("%d probes without a failure", probes)
		}
		h.sent()
		h.settled(ErrBufferFull)
		synctest.Wait()
		if h.away() == nil {
			t.Fatal("a failure is not remembered")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := h.away(); err != nil {
			t.Errorf("after a good probe: %v", err)
		}
		if probes != 3 {
			t.Errorf("%d probes, want 3: it must rest once Kafka is back", probes)
		}
	})
}
