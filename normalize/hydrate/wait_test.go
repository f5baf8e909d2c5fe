package hydrate

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// A batch is held until each of its tasks is due or has lain for long enough. None goes back before its time.
func TestHowLongTasksWait(t *testing.T) {
	const second = time.Second
	waiting := &waiting{batch: waitBatch, reappend: 10 * second}
	type lying struct {
		written, notBefore time.Duration // from now on
		becomes            string
	}
	for _, c := range []struct {
		name  string
		batch []lying
		held  time.Duration
	}{
		{"all are due soon", []lying{{0, 3 * second, "due"}, {0, second, "due"}}, 3 * second},
		{"all were due", []lying{{-4 * second, -second, "due"}, {-3 * second, -second, "due"}}, 0},
		{"one is due late", []lying{{0, second, "due"}, {0, time.Hour, "waiting"}}, 10 * second},
		{"it has lain for a while", []lying{{-4 * second, time.Hour, "waiting"}}, 6 * second},
		{"it has lain for long", []lying{{-time.Minute, time.Hour, "waiting"}}, 0},
		{"its writer's clock is ahead", []lying{{time.Hour, 2 * time.Hour, "waiting"}}, 10 * second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, start := &rig{t: t}, time.Now()
				var polled []*kgo.Record
				var want []string
				for _, l := range c.batch {
					task := r.task("a")
					task.NotBefore = timestamppb.New(start.Add(l.notBefore))
					one := r.record(task)
					one.Timestamp = start.Add(l.written)
					polled, want = append(polled, one), append(want, l.becomes)
				}
				got := processed(t, normalizetest.Must(waiting.Take(t.Context(), r.in, polled))(t))
				are(t, got, want...)
				if held := time.Since(start); held != c.held {
					t.Errorf("held for %v, expected %v", held, c.held)
				}
				for _, b := range got {
					if (b.as == "due") != (b.record.Topic == schemas.Hydrate) || (b.as == "waiting") != (b.record.Topic == schemas.HydrateWait) {
						t.Errorf("a task that is %s goes to %s", b.as, b.record.Topic)
					}
				}
			})
		})
	}
}

// At the end the batch is left to whoever comes next, though nothing is due.
func TestWaitingEndsWithTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, start := &rig{t: t}, time.Now()
		task := r.task("a")
		task.NotBefore = timestamppb.New(start.Add(time.Minute))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		next, err := (&waiting{reappend: time.Hour}).Take(ctx, r.in, []*kgo.Record{r.record(task)})
		if _, idle := next.(normalize.Idle); !idle || err != nil || time.Since(start) != time.Second {
			t.Errorf("%T (%v) after %v, expected nothing to be written after a second", next, err, time.Since(start))
		}
	})
}

// A task with a copy behind it moves on once, and what is none moves on nowhere.
func TestWhatDoesNotGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t}
		task := r.task("a")
		task.NotBefore = timestamppb.Now()
		garbage := r.record(&kycv1.HydrateTask{})
		garbage.Value = []byte("no task")
		next := normalizetest.Must((&waiting{}).Take(t.Context(), r.in, []*kgo.Record{garbage, r.record(task), r.record(task)}))(t)
		are(t, processed(t, next), "unreadable", "copy", "due")
	})
}
