package ingest

import (
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// No success code without the log's word: 503, exactly when the budget is used
// up, and the body stays counted until the log releases it.
func TestAckWithheld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := withhold()
		s := newServer(t, testOptions(t, log))
		start := time.Now()
		w := serve(s, signed(t, "one", "old", testBody))
		if took := time.Since(start); w.Code != 503 || took != testBudget {
			t.Errorf("answered %d after %s, want 503 after %s", w.Code, took, testBudget)
		}
		if s.gate.bytes.Load() == 0 {
			t.Error("the body is not counted although the log still has it")
		}
		record := <-log.came
		record.done(nil)
		record.done(errTest) // a log that calls twice must not upset the count
		if n := s.gate.bytes.Load(); n != 0 {
			t.Errorf("%d bytes counted after the log's word, want 0", n)
		}
	})
}

func TestAckInTime(t *testing.T) {
	for _, tc := range []struct {
		name  string
		after time.Duration
		err   error
		want  outcome
		took  time.Duration
	}{
		{"at once", 0, nil, accepted, 0},
		{"late but in time", testBudget - time.Nanosecond, nil, accepted, testBudget - time.Nanosecond},
		{"a moment too late", testBudget + time.Nanosecond, nil, unacked, testBudget},
		{"refused", time.Second, errTest, refused, time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &heldLog{reply: func(done func(error)) { time.AfterFunc(tc.after, func() { done(tc.err) }) }}
				s := newServer(t, testOptions(t, log))
				start := time.Now()
				w := serve(s, signed(t, "one", "old", testBody))
				if took := time.Since(start); w.Code != answers[tc.want].status || took != tc.took {
					t.Errorf("answered %d after %s, want %d after %s", w.Code, took, answers[tc.want].status, tc.took)
				}
				time.Sleep(time.Second) // virtual: lets a late callback come
				if n := s.gate.bytes.Load() + s.gate.requests.Load(); n != 0 {
					t.Errorf("%d requests and bytes still counted, want none", n)
				}
			})
		})
	}
}

// When the log's word and the end of the budget are there together, the
// delivery is safe and the sender is told so.
func TestAckAtTheLastMoment(t *testing.T) {
	acked := make(chan error, 1)
	for range 100 {
		acked <- nil
		d := delivery{}
		if o := d.wait(acked, time.Now().Add(-time.Second)); o != accepted {
			t.Fatalf("outcome is %s, want %s", o, accepted)
		}
	}
}

// The vendor's own limit sets the budget, less two seconds.
func TestAckBudgetOfVendor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t, withhold())
		o.Endpoints[0].Provider.Ack.Limit = 14 * time.Second
		start := time.Now()
		w := serve(newServer(t, o), signed(t, "one", "old", testBody))
		if took := time.Since(start); w.Code != 503 || took != 12*time.Second {
			t.Errorf("answered %d after %s, want 503 after 12s", w.Code, took)
		}
	})
}

// A client that goes away changes nothing: the delivery is in the log, the
// handler ends, and nothing stays counted.
func TestClientDisconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := withhold()
		s := newServer(t, testOptions(t, log))
		l, stop := run(t, s)
		c, err := l.dial()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(wire(t, "one", "old", testBody, false)); err != nil {
			t.Fatal(err)
		}
		record := <-log.came
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the server has noticed
		if n := s.gate.requests.Load(); n != 1 {
			t.Errorf("%d requests are waiting, want the one whose sender went away", n)
		}
		record.done(nil)
		synctest.Wait()
		if n := s.gate.requests.Load() + s.gate.bytes.Load(); n != 0 {
			t.Errorf("%d requests and bytes still counted, want none", n)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// 5 000 deliveries wait for a silent log; the next is turned away at once, and
// all are answered when their time is up.
func TestTooManyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(t, withhold())
		o.MaxUnprovedBytes = 1 << 30 // however many come before any is judged
		s := newServer(t, o)
		start := time.Now()
		var unanswered atomic.Int64
		for range DefaultMaxRequests {
			r := signed(t, "one", "old", testBody)
			go func() {
				w := httptest.NewRecorder()
				s.Handler().ServeHTTP(w, r)
				if w.Code != 503 || time.Since(start) != testBudget {
					unanswered.Add(1)
				}
			}()
		}
		synctest.Wait()
		if w := serve(s, signed(t, "one", "old", testBody)); w.Code != 503 || time.Since(start) != 0 {
			t.Errorf("one more is answered %d after %s, want 503 at once", w.Code, time.Since(start))
		}
		time.Sleep(2 * testBudget)
		synctest.Wait()
		if n := s.gate.requests.Load() + unanswered.Load(); n != 0 {
			t.Errorf("%d requests hang or were not answered 503 at the end of their budget", n)
		}
	})
}
