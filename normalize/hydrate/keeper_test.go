package hydrate

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Whatever fails, and however often the partition is read again from the group's offset: every task is told once,
// and the group never stands behind one that is open.
func TestWhateverFailsEachTaskIsToldOnce(t *testing.T) {
	for seed := range uint64(60) {
		inPartition(t, func(t *testing.T, p *partition) {
			var dice sync.Mutex // the API rolls them too
			rng := rand.New(rand.NewPCG(seed, 7))
			roll := func(n int) int { dice.Lock(); defer dice.Unlock(); return rng.IntN(n) }
			var calm atomic.Bool
			rarely := func(n int) bool { return !calm.Load() && roll(n) == 0 }
			p.aborts = func() bool { return rarely(4) }
			p.api = func(string) (int, string) {
				switch {
				case rarely(3):
					return http.StatusBadGateway, ""
				case rarely(3):
					return http.StatusOK, "garbage"
				}
				return http.StatusOK, `{}`
			}
			p.in.Disposed = func(tasks []normalize.Task) (disposed []bool, _ error) {
				for _, task := range tasks {
					_, told := p.told[string(bytes.TrimRight(task.GetEnvelope().GetBody(), " "))]
					disposed = append(disposed, told)
				}
				return disposed, nil
			}
			arrived := 0
			for range 400 {
				if rarely(3) {
					arrived++
					p.arrives([]string{"away", "well"}[roll(2)], fmt.Sprint("id", arrived), 10)
				}
				if rarely(40) { // the partition goes, and comes back
					p.Lose([]int32{0})
					p.polled, p.head = int(p.offset), int(p.offset)
				}
				p.live()
				p.checkOffset()
				time.Sleep(time.Duration(roll(2000)) * time.Millisecond)
			}
			calm.Store(true)
			p.lives(func() bool { return p.offset == int64(len(p.log)) })
			if p.Begin(); len(p.told) != arrived || len(p.twice) > 0 || len(p.open) > 0 {
				t.Errorf("seed %d: %d of %d tasks are told, %v twice; %d are open", seed, len(p.told), arrived, p.twice, len(p.open))
			}
		}, func(o *Options) { o.Stage.Batch = 3 })
	}
}

// checkOffset wants all that lies before the group's offset told, or answered behind it.
func (p *partition) checkOffset() {
	p.t.Helper()
	answered := map[string]bool{}
	for _, r := range p.log[p.offset:] {
		answered[idOf(r.Key)] = true
	}
	for _, r := range p.log[:p.offset] {
		if id := idOf(r.Key); p.told[id].IsZero() && !answered[id] {
			p.t.Fatalf("the group is at %d, and %s at %d is neither told nor behind it", p.offset, id, r.Offset)
		}
	}
}

// A clock that is set back makes no answer older than one before, and no question unanswerable: the API is asked
// once for each.
func TestClocksThatAreSetBackCostNoRequests(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		ahead := time.Now().Add(15 * time.Second)
		before := answeredBy(r.task("before"), `{}`)
		before.FetchedAt = timestamppb.New(ahead)
		again := r.task("b")
		again.AskedAgain, again.FetchedAt = true, timestamppb.New(ahead)
		got := r.tasks(before, r.task("a"), again)
		are(t, got, "published", "stored", "stored")
		r.wasAsked("a", "b")
		for _, b := range got[1:] {
			if at := b.task.GetFetchedAt().AsTime(); at.Before(ahead) {
				t.Errorf("an answer is told as of %v, behind one of %v", at, ahead)
			}
		}
	})
}

// Beyond a bound, deliveries are left out of memory and read again; what retention removed meanwhile is passed over,
// and what cannot be read now is read later.
func TestDeliveriesThatAreReadAgain(t *testing.T) {
	inPartition(t, func(t *testing.T, p *partition) {
		p.lot.keep = 300
		p.api = func(string) (int, string) { return http.StatusServiceUnavailable, "" }
		for n := range 8 {
			p.arrives("away", fmt.Sprint("id", n), 100)
		}
		read, away := p.o.Tasks, true
		p.o.Tasks = func(ctx context.Context, number int32, from int64, fn func(*kgo.Record) bool) error {
			switch {
			case away:
				return context.DeadlineExceeded
			}
			return read(ctx, number, max(from, 8), fn) // the log begins there by now
		}
		p.lives(func() bool { return len(p.lot.tasks) == 8 })
		packed := 0
		for e := range p.lot.tasks {
			if e.packed {
				packed++
			}
		}
		if packed == 0 || packed == 8 || p.lot.bytes > p.lot.keep {
			t.Errorf("%d of 8 deliveries are left out, and %d bytes kept", packed, p.lot.bytes)
		}
		p.api = func(string) (int, string) { return http.StatusOK, `{}` }
		p.lives(func() bool { return len(p.lot.tasks) == packed })
		away = false
		p.lives(func() bool { return p.offset == int64(len(p.log)) })
		if len(p.told) != 8-packed {
			t.Errorf("%d are told, expected the %d that were kept", len(p.told), 8-packed)
		}
		if p.lot.bytes != 0 {
			t.Errorf("%d bytes are kept of no task", p.lot.bytes)
		}
	})
}

// Answers that cannot be written, as while Redis is away, are bounded: no more is asked for.
func TestAnswersThatCannotBeWrittenAreBounded(t *testing.T) {
	inPartition(t, func(t *testing.T, p *partition) {
		p.api = func(string) (int, string) { return http.StatusServiceUnavailable, "" }
		for n := range 200 {
			p.arrives("away", fmt.Sprint("id", n), 10)
		}
		p.arrives("well", "last", 10)
		p.log[200].Value = normalizetest.Must(contract.Marshal(answeredBy(p.task("last"), `{}`)))(t) // so that there is a commit
		p.lives(func() bool { return len(p.lot.tasks) == 200 && p.head > 200 })
		p.asked = nil
		p.aborts = func() bool { return true }
		p.api = func(string) (int, string) { return http.StatusOK, `{}` }
		soon := time.Now().Add(3 * time.Minute)
		p.lives(func() bool { return time.Now().After(soon) })
		most := 10 + p.asker.accounts["away"].most
		if n := len(p.hand); n < 10 || n > most || len(p.asked) > 200 {
			t.Errorf("%d answers are in hand after %d requests, expected at most %d", n, len(p.asked), most)
		}
		p.aborts = nil
		p.lives(func() bool { return p.offset == int64(len(p.log)) })
		if len(p.told) != 201 {
			t.Errorf("%d are told, expected all", len(p.told))
		}
	}, func(o *Options) { o.Stage.Batch = 10 })
}

// Tasks that wait for the rate are asked for in the order of the log, and those that come later are behind them.
func TestTasksTakeTurns(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		are(t, r.tasks(r.task("a"), r.task("b"), r.task("c")), "stored", "waiting", "waiting")
		time.Sleep(time.Second)
		late := r.record(r.task("d"))
		for polled := []*kgo.Record{late}; r.of(late).as != "stored"; polled = nil {
			r.step(polled...)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if want := []string{"a", "b", "c", "d"}; !slices.Equal(r.asked, want) {
			t.Errorf("the API is asked for %q, expected %q", r.asked, want)
		}
	}, func(o *Options) { o.Rate = 1 })
}

// The gauges say for each API how many deliveries wait, and since when.
func TestGaugesOfWaitingTasks(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.api = func(string) (int, string) { return http.StatusUnauthorized, "" }
		unknown := r.task("c")
		unknown.Envelope.Endpoint = "unheard"
		r.tasks(r.task("a"))
		time.Sleep(time.Minute)
		r.tasks(r.task("b"), unknown)
		time.Sleep(gaugeEvery)
		r.batch()
		want := map[string][2]float64{"endpoint": {2, 60}, elsewhere: {1, 60}}
		if got := r.waiting(); !near(got, want) {
			t.Errorf("the gauges say %v, expected %v", got, want)
		}
		r.Lose(nil)
		want = map[string][2]float64{"endpoint": {}, elsewhere: {}}
		if got := r.waiting(); !near(got, want) {
			t.Errorf("without partitions the gauges say %v, expected %v", got, want)
		}
	})
}

// waiting gives the tasks and the age that the gauges say, by endpoint.
func (r *rig) waiting() map[string][2]float64 {
	r.t.Helper()
	all := map[string][2]float64{}
	for _, family := range normalizetest.Must(r.told.Gather())(r.t) {
		for i, name := range []string{"_waiting_tasks", "_oldest_waiting_age_seconds"} {
			for _, m := range family.GetMetric() {
				if family.GetName() == namespace+name {
					one := all[m.GetLabel()[0].GetValue()]
					one[i] = m.GetGauge().GetValue()
					all[m.GetLabel()[0].GetValue()] = one
				}
			}
		}
	}
	return all
}

// near compares numbers of tasks, and ages but for some seconds.
func near(got, want map[string][2]float64) bool {
	for endpoint, w := range want {
		g := got[endpoint]
		if g[0] != w[0] || g[1] < w[1] || g[1] > w[1]+10 {
			return false
		}
	}
	return len(got) == len(want)
}

// Tasks of earlier releases are put back at once, with their time, each once; what is no task goes nowhere.
func TestTheWaitTopicIsEmptied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, log: map[int64]became{}, told: prometheus.NewRegistry()}
		task, other := r.task("a"), r.task("b")
		task.NotBefore = timestamppb.New(time.Now().Add(time.Hour))
		garbage := r.record(&kycv1.HydrateTask{})
		garbage.Value = []byte("no task")
		w := &returning{batch: waitBatch}
		if next := normalizetest.Must(w.Take(t.Context(), r.in, nil))(t); next != (normalize.Idle{}) || w.Begin().Max != waitBatch {
			t.Errorf("after nothing came the source wants %+v", next)
		}
		began := time.Now()
		got := processed(t, normalizetest.Must(w.Take(t.Context(), r.in, []*kgo.Record{garbage, r.record(task), r.record(task), r.record(other)}))(t))
		are(t, got, "unreadable", "copy", "returned", "returned")
		if out := got[2].record; out.Topic != schemas.Hydrate || !got[2].task.GetNotBefore().AsTime().Equal(task.GetNotBefore().AsTime()) || time.Since(began) != 0 {
			t.Errorf("%v goes to %s after %v", got[2].task, out.Topic, time.Since(began))
		}
	})
}
