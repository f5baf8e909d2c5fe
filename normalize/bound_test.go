package normalize

import (
	"testing"
	"time"
)

func TestSizeHalvesDownToOneAndGrowsWhereThereIsRoom(t *testing.T) {
	const limit, quick = 8 * time.Second, time.Second
	var s size
	if got := s.of(500, 30); got != 500 {
		t.Fatalf("without a failure %d of 500 records are polled", got)
	}
	for _, want := range []int{250, 125, 62, 31, 15, 7, 3, 1, 1} {
		if s.failed(s.of(500, 0)); s.of(500, 0) != want {
			t.Fatalf("after a failure %d records are polled, expected %d", s.of(500, 0), want)
		}
	}
	if got := s.of(500, 1); got != 0 {
		t.Errorf("beside the one in hand %d records are polled, expected none", got)
	}
	for range 3 * growAfter {
		s.written(limit/2, limit, 500)
	}
	if got := s.of(500, 0); got != 1 {
		t.Errorf("after batches that took half their time %d records are polled, expected 1", got)
	}
	for want := 2; want < 500; want *= 2 {
		for range growAfter {
			s.written(quick, limit, 500)
		}
		if got := s.of(500, 0); got != want {
			t.Fatalf("after %d quick batches %d records are polled, expected %d", growAfter, got, want)
		}
	}
	for range growAfter {
		s.written(quick, limit, 500)
	}
	if got := s.of(700, 0); got != 700 {
		t.Errorf("at full size %d of 700 records are polled", got)
	}
}
