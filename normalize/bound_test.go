package normalize

import (
	"testing"
	"time"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func TestABatchGrowsUntilItReachesABound(t *testing.T) {
	value := func(n int) RawRecord { return RawRecord{Value: make([]byte, n)} }
	full := Input{}
	for _, c := range []struct {
		name   string
		add    []*Reading
		in     Input
		polled int // bytes
		more   int // records that are polled next; 0: it is written
	}{
		{"room for all", []*Reading{{In: value(10), Outcome: &Publish{Events: make([]Event, 9)}}}, full, 100, 4},
		{"the poll brought all there was", []*Reading{{In: value(10), Outcome: &Skip{}}}, full, 99, 0},
		{"one by one", []*Reading{{In: value(10), Outcome: &Skip{}}}, Input{Singly: true}, 100, 0},
		{"records", []*Reading{{}, {}, {}, {}, {}}, full, 100, 0},
		{"bytes read", []*Reading{{In: value(500)}, {In: value(500)}}, full, 100, 0},
		{"events", []*Reading{{Outcome: &Publish{Events: make([]Event, 9)}}, {Outcome: &Publish{Events: make([]Event, 1)}}}, full, 100, 0},
		{"bytes of events", []*Reading{{Outcome: &Publish{bytes: 5000}}}, full, 100, 0},
		{"bytes of dead letters", []*Reading{{Outcome: &DeadLetter{Letter: &kycv1.DeadLetter{Envelope: &kycv1.RawEnvelope{Body: make([]byte, 5000)}}}}}, full, 100, 0},
		{"bytes of tasks", []*Reading{{Outcome: &Fetch{Task: &kycv1.HydrateTask{Envelope: &kycv1.RawEnvelope{Body: make([]byte, 5000)}}}}}, full, 100, 0},
	} {
		g := growing{most: 5, limits: Bounds{Read: 1000, Events: 10, Written: 5000, Poll: 100}}
		g.reset()
		for _, r := range c.add {
			g.add(r)
		}
		switch next := g.next(c.in, c.polled).(type) {
		case Poll:
			if next.Max != c.more || next.Limit != pollMore {
				t.Errorf("%s: polls for %d records, expected %d", c.name, next.Max, c.more)
			}
		case Process:
			if c.more > 0 || len(next.Readings) != len(c.add) {
				t.Errorf("%s: writes %d readings, expected to poll for %d more", c.name, len(next.Readings), c.more)
			}
		default:
			t.Errorf("%s: %T", c.name, next)
		}
	}
	if g := (growing{most: 5}); g.next(full, 0) != (Idle{}) {
		t.Error("nothing came, and something is wanted")
	}
}

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
