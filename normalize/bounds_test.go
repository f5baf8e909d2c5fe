package normalize_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// weighed notes what each transaction holds, and what the process holds while it is written.
type weighed struct {
	*sink.Session
	to *weights
}

type weights struct {
	sync.Mutex
	transactions int
	events       int    // most in one transaction
	bytes        int    // most written in one
	live         uint64 // most bytes of the heap that are in use then; 0: not measured
	heap         bool   // measure it
}

func (w weighed) Commit(ctx context.Context, out []record.Outgoing) (bool, error) {
	events, bytes := 0, 0
	for _, o := range out {
		bytes += len(o.Value)
		if o.Topic == schemas.Session {
			events++
		}
	}
	w.to.Lock()
	if w.to.heap {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.to.live = max(w.to.live, m.HeapAlloc)
	}
	w.to.transactions++
	w.to.events, w.to.bytes = max(w.to.events, events), max(w.to.bytes, bytes)
	w.to.Unlock()
	return w.Session.Commit(ctx, out)
}

// weigh lets what a process writes be weighed.
func weigh(to *weights, change func(*normalize.Options)) func(*normalize.Options) {
	return func(o *normalize.Options) {
		if change != nil {
			change(o)
		}
		o.Sessions = normalizetest.Wrap(o.Sessions, func(slot *normalize.Slot) {
			slot.Session = weighed{slot.Session.(*sink.Session), to}
		})
	}
}

// review is a delivery of so many bytes that becomes so many events, as a large company review does.
func review(n, events, bytes int) said {
	s := said{Subject: fmt.Sprint(n % 7), ID: fmt.Sprint(n), Events: events}
	s.Text, s.Pad = "x", strings.Repeat("x", bytes)
	return s
}

// largeWorld is a world of one partition whose batches are those that its broker takes.
func largeWorld(t *testing.T) *world {
	w := newWorld(t, 1)
	w.Sink.MaxMessageBytes = 900 << 10
	return w
}

// Records alone bounded a batch once: a few hundred deliveries of a thousand events each were one transaction.
func TestTransactionsAreBoundedByEventsAndBytes(t *testing.T) {
	for _, c := range []struct {
		name            string
		one             func(n int) said
		events, written int // most in one transaction: the bound, and what one poll may become
	}{
		{"events", func(n int) said { return review(n, 400, 10<<10) }, 4000 + 14*400, 1 << 30},
		{"bytes", func(n int) said { s := review(n, 1, 60<<10); s.Do = "mismatch"; return s }, 1, 8<<20 + 256<<10},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := largeWorld(t)
			var all []said
			want := 0
			for n := range 200 {
				all = append(all, c.one(n))
				want += all[n].Events
			}
			w.send(0, all...)
			var got weights
			w.start(0, weigh(&got, nil))
			w.settle()
			if got.events > c.events || got.bytes > c.written {
				t.Errorf("one of %d transactions held %d events and %d bytes, expected at most %d and %d", got.transactions, got.events, got.bytes, c.events, c.written)
			}
			w.audit()
			if n := len(w.events()) + len(w.deadLetters()); n != want && all[0].Do == "" {
				t.Errorf("%d events and dead letters, expected %d", n, want)
			}
		})
	}
}

// The bounds are of no use unless they bound memory.
func TestMemoryOfABacklogIsBounded(t *testing.T) {
	w := largeWorld(t)
	for n := range 60 {
		w.send(0, review(n, 2000, 48<<10))
	}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	got := weights{heap: true}
	w.start(0, weigh(&got, func(o *normalize.Options) { o.MaxRecordBytes = 4 << 20 }))
	w.settle()
	t.Logf("%d transactions, at most %d events and %d bytes; the heap grew by %d bytes", got.transactions, got.events, got.bytes, got.live-before.HeapAlloc)
	if most := before.HeapAlloc + 150<<20; got.live > most {
		t.Errorf("%d bytes of the heap were in use, expected at most %d", got.live, most)
	}
}
