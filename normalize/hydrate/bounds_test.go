package hydrate

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/normalize"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Answers that came together are written in as many transactions as their bytes want, in their order, and the group
// stays before the first that is not written.
func TestWhatIsWrittenIsSplitByItsBytes(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.api = func(id string) (int, string) {
			return http.StatusOK, `{"id":"` + id + `","pad":"` + strings.Repeat("x", 1000) + `"}`
		}
		var polled []*kgo.Record
		for n := range 6 {
			polled = append(polled, r.record(r.task(fmt.Sprint("id", n))))
		}
		r.step(polled...)
		time.Sleep(10 * latency)
		synctest.Wait()
		written := 0
		for written < len(polled) {
			r.in.Singly = false
			if p := r.Begin(); written > 0 && (p.Max != 0 || p.Limit != portionOn) {
				t.Fatalf("with more to write the source polls %+v", p)
			}
			next, err := r.Take(t.Context(), r.in, nil)
			if err != nil {
				t.Fatal(err)
			}
			p, ok := next.(normalize.Process)
			if !ok {
				t.Fatalf("after %d answers the source wants %T", written, next)
			}
			if n := len(p.Readings); n == 0 || n > 3 {
				t.Fatalf("one transaction holds %d answers of 1000 bytes, expected 1 to 3", n)
			}
			for _, b := range processed(t, p) {
				if b.as != "stored" {
					t.Errorf("a task becomes %s", b.as)
				}
			}
			written += len(p.Readings)
			open := polled[0].Offset + int64(len(polled))
			for _, e := range r.hand {
				if !e.done {
					open = min(open, e.in.Offset)
				}
			}
			if p.Offsets[0] != open {
				t.Errorf("the group goes to %d, and the first task that is not written is at %d", p.Offsets[0], open)
			}
		}
		if p := r.Begin(); p.Max == 0 {
			t.Errorf("all is written, and nothing is polled: %+v", p)
		}
	}, func(o *Options) { o.Stage.Bounds = normalize.Bounds{Written: 2500} })
}

// heavyTask is a task of half a megabyte.
func (r *rig) heavyTask(id string) *kycv1.HydrateTask {
	task := r.task(id)
	for range 64 {
		task.Envelope.Headers = append(task.Envelope.Headers, &kycv1.HttpHeader{Name: "X-Pad", Value: strings.Repeat("x", 8192)})
	}
	return task
}

// While fetches hang, what is in hand is bounded by bytes: a hundred tasks were polled before, whatever they held.
func TestTasksInHandAreBoundedByBytes(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.asker.accounts["endpoint"].client.Transport = hanging{}
		polled := 0
		for r.Begin().Max > 0 {
			r.step(r.record(r.heavyTask(fmt.Sprint("id", polled))))
			if polled++; polled > 40 {
				t.Fatalf("%d tasks of half a megabyte are in hand, and more are polled", polled)
			}
		}
		if polled < 12 {
			t.Errorf("only %d tasks of half a megabyte are polled", polled)
		}
		if p := r.Begin(); p.Limit != pollOn {
			t.Errorf("the source polls %+v, expected to wait for fetches", p)
		}
		for _, e := range r.hand {
			if e.in.Value != nil {
				t.Fatal("a task keeps the record that it was read from")
			}
		}
	}, func(o *Options) { o.Concurrency = 100 })
}

// When patience with an API ends for thousands of tasks at once, they are given up a few at a time.
func TestNoMoreTasksAreWokenThanThereIsRoomFor(t *testing.T) {
	for _, c := range []struct {
		name string
		room room
		want int
	}{
		{"tasks", room{tasks: 3, bytes: 1 << 20}, 3},
		{"bytes", room{tasks: 100, bytes: 250}, 3},
		{"none", room{tasks: 0, bytes: 1 << 20}, 0},
		{"all", room{tasks: 100, bytes: 1 << 20}, 10},
	} {
		l, now := newLot(), time.Now()
		for range 10 {
			l.add(&entry{task: &kycv1.HydrateTask{}, whole: 100}, nil, now.Add(time.Second), now.Add(time.Second), now)
		}
		if got := l.wake(now.Add(time.Minute), &c.room, func(*entry) bool { return true }); len(got) != c.want || len(l.tasks) != 10-c.want {
			t.Errorf("%s: %d tasks are woken, expected %d", c.name, len(got), c.want)
		}
	}
}
