package ingest

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// The whole order of an end, on virtual time: unready at once, serving through
// the delay, then no new connections, requests in flight each answered, and the
// log closed after the last of them.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := withhold()
		s := newServer(t, testOptions(t, log))
		l := listenPipe()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, l) }()
		synctest.Wait()
		if err := s.Ready(); err != nil {
			t.Fatalf("not ready: %v", err)
		}
		cancel()
		synctest.Wait()
		if s.Ready() == nil {
			t.Error("ready while draining")
		}
		// Requests that come in just before the listener closes; every other one
		// gets its acknowledgement after that.
		time.Sleep(DefaultDrainDelay - time.Second)
		const requests = 40
		replies := make(chan reply, requests)
		for i := range requests {
			request := wire(t, "one", "old", testBody, i%4 == 0)
			go func() { replies <- exchange(l, request) }()
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
		for i := range requests {
			if record := <-log.came; i%2 == 0 {
				record.done(nil)
			}
		}
		if got := exchange(l, nil); !errors.Is(got.err, net.ErrClosed) {
			t.Errorf("a new connection got %+v, want refused", got)
		}
		counts := map[int]int{}
		for range requests {
			got := <-replies
			counts[got.status]++
			if log.isClosed() {
				t.Error("the log was closed before a request was answered")
			}
			if !got.close {
				t.Error("a connection was kept open while draining")
			}
		}
		if counts[200] != requests/2 || counts[503] != requests/2 {
			t.Errorf("answers by status: %v, want half 200 and half 503", counts)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if !log.isClosed() || log.late != 0 {
			t.Errorf("log closed: %t, appends after that: %d", log.isClosed(), log.late)
		}
		if s.Ready() == nil {
			t.Error("ready after the end")
		}
	})
}

func (l *heldLog) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// A body that will not end holds up the end no longer than its budget.
func TestDrainWithSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t, ackAll())
		o.DrainDelay = -1
		l, stop := run(t, newServer(t, o))
		request := wire(t, "one", "old", testBody, false)
		replies := make(chan reply, 1)
		go func() { replies <- exchange(l, request[:len(request)-1]) }()
		synctest.Wait()
		start := time.Now()
		err := stop()
		if took := time.Since(start); err != nil || took > o.Grace() {
			t.Errorf("ended after %s with %v, want within %s", took, err, o.Grace())
		}
		if got := <-replies; got.status != 503 {
			t.Errorf("answered %+v, want 503", got)
		}
	})
}

// A request on a connection that is kept open is answered 503 once the
// listener is closed, never left hanging.
func TestClosedAnswers503(t *testing.T) {
	s := newServer(t, testOptions(t, ackAll()))
	s.phase.Store(closed)
	w := serve(s, signed(t, "one", "old", testBody))
	if w.Code != 503 || w.Header().Get("Connection") != "close" || w.Header().Get("Retry-After") == "" {
		t.Errorf("answered %d %v, want 503 with Retry-After and a closed connection", w.Code, w.Header())
	}
}

// A log that cannot be flushed is reported, within its time.
func TestRunReportsFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t, stuckLog{ackAll()})
		_, stop := run(t, newServer(t, o))
		synctest.Wait()
		start := time.Now()
		err := stop()
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > o.Grace() {
			t.Errorf("ended after %s with %v, want the deadline of the flush within %s", took, err, o.Grace())
		}
	})
}

type stuckLog struct{ *heldLog }

func (stuckLog) Close(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// A listener that breaks ends Run, log closed, with an error that says so.
func TestRunReportsListener(t *testing.T) {
	log := ackAll()
	l := listenPipe()
	_ = l.Close()
	err := newServer(t, testOptions(t, log)).Run(t.Context(), l)
	if !errors.Is(err, net.ErrClosed) || !log.isClosed() {
		t.Errorf("Run returned %v, log closed %t; want the listener's error and true", err, log.isClosed())
	}
}

func TestReady(t *testing.T) {
	for _, strict := range []bool{false, true} {
		log := ackAll()
		o := testOptions(t, log)
		o.UnreadyWhileLogDown = strict
		s := newServer(t, o)
		if s.Ready() == nil {
			t.Error("ready before it serves")
		}
		s.phase.Store(serving)
		log.setAway(errTest)
		if err := s.Ready(); !errors.Is(err, errTest) {
			t.Errorf("ready is %v before the log was ever there, want %v", err, errTest)
		}
		log.setAway(nil)
		if err := s.Ready(); err != nil {
			t.Errorf("ready is %v with the log there", err)
		}
		log.setAway(errTest)
		if err := s.Ready(); strict != errors.Is(err, errTest) {
			t.Errorf("strict %t: ready is %v during an outage", strict, err)
		}
	}
}
