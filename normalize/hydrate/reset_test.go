package hydrate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
)

// reset puts the group's offsets of topics back to the start. No process may run.
func (w *world) reset(topics ...string) {
	w.T.Helper()
	for _, topic := range topics {
		n, _, err := w.Reader.Partitions(w.Ctx, topic)
		if err != nil {
			w.T.Fatal(err)
		}
		start := map[int32]int64{}
		for p := range int32(n) {
			start[p] = 0
		}
		w.Await("the group is empty and takes offsets", func() bool {
			w.Undertaker.Bury(w.Ctx, hydrate.DefaultGroup)
			return w.Reader.Commit(w.Ctx, hydrate.DefaultGroup, topic, start) == nil
		})
	}
}

// behind counts the records of a topic that the group has not passed, and those there are.
func (w *world) behind(topic string) (behind, all int) {
	w.T.Helper()
	at := normalizetest.Must(w.Reader.Committed(w.Ctx, hydrate.DefaultGroup, topic))(w.T)
	for _, r := range w.Read(topic) {
		all++
		if r.Offset >= at[r.Partition] {
			behind++
		}
	}
	return behind, all
}

// drain waits until no task is under way. A task moves from topic to topic, so the first is looked at
// again after the other.
func (w *world) drain() {
	w.T.Helper()
	w.Await("no task is under way", func() bool {
		w.Undertaker.Bury(w.Ctx, normalize.DefaultGroup, hydrate.DefaultGroup)
		waiting, before := w.behind(schemas.HydrateWait)
		asking, _ := w.behind(schemas.Hydrate)
		_, after := w.behind(schemas.HydrateWait)
		return waiting+asking == 0 && before == after
	})
}

// told is what consumers got.
func (w *world) told() string {
	return fmt.Sprintf("%v, %d dead letters, %d dispositions", w.texts(), len(w.deadLetters()), len(w.dispositions()))
}

// everChanging answers each request with another state, so that an object fetched twice is told twice.
func everChanging() http.HandlerFunc {
	var version atomic.Int64
	return func(rw http.ResponseWriter, r *http.Request) {
		n := version.Add(1)
		_, _ = fmt.Fprintf(rw, `{"id":%q,"status":"v%d","version":%d}`, path.Base(r.URL.Path), n, n)
	}
}

func smallBatches(o *hydrate.Options) { o.Stage.Batch = 3 }

func TestOffsetsResetToStartChangeNothing(t *testing.T) {
	w := newWorld(t, 2)
	for _, a := range w.apis {
		a.always(everChanging())
	}
	w.apis[shyName].set("/first/same", "same", "done", 1)
	w.apis[shyName].answer("/first/gone", code(http.StatusGone))
	for _, unknown := range []string{"/first/unknown", "/second/unknown"} {
		w.apis[shyName].answer(unknown, code(http.StatusNotFound))
	}
	w.apis[thinName].answer("/live/sessions/late", func(rw http.ResponseWriter, _ *http.Request) {
		w.apis[thinName].set("/live/sessions/late", "late", "approved", 1)
		rw.WriteHeader(http.StatusBadGateway)
	})
	p := w.start(0, smallBatches)
	for _, partition := range []int32{0, 1} {
		w.send(partition,
			said{thinName, "s", "e"}, said{shyName, "o", ""}, said{thinName, "s", "e"}, said{shyName, "same", ""},
			said{shyName, "unknown", ""}, said{shyName, "gone", ""}, said{thinName, "late", "e"}, said{shyName, "unknown", ""},
		)
	}
	w.settle()
	w.send(0, said{shyName, "same", ""}) // asked for again, then a duplicate
	w.settle()
	w.drain()
	normalizetest.Must(0, p.stop())(t)
	told, asked := w.told(), w.apis[shyName].total()+w.apis[thinName].total()
	for _, c := range []struct {
		name   string
		topics []string
		flush  bool
	}{
		{"both topics", []string{schemas.Hydrate, schemas.HydrateWait}, false},
		{"the wait topic", []string{schemas.HydrateWait}, false},
		{"the task topic", []string{schemas.Hydrate}, false},
		{"both topics, and Redis is empty", []string{schemas.Hydrate, schemas.HydrateWait}, true},
	} {
		if c.flush {
			w.Redis.FlushAll()
		}
		w.reset(c.topics...)
		p := w.start(0, smallBatches)
		w.drain()
		normalizetest.Must(0, p.stop())(t)
		if got := w.told(); got != told {
			t.Errorf("%s: after the reset\n%s, before\n%s", c.name, got, told)
		}
		if n := w.apis[shyName].total() + w.apis[thinName].total(); n != asked {
			t.Errorf("%s: the APIs were asked %d times more", c.name, n-asked)
			asked = n
		}
	}
	w.audit()
}

// inFlight is a world whose tasks are settled but for some that go round, each of which has left copies
// in both topics.
func inFlight(t *testing.T, partitions int32) *world {
	w := newWorld(t, partitions)
	for _, a := range w.apis {
		a.always(everChanging())
	}
	garbage := func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(`{}`)) } // no breaker opens for it
	stuck := []string{"/live/sessions/stuck", "/first/stuck"}
	for i, a := range []*api{w.apis[thinName], w.apis[shyName]} {
		a.answer(stuck[i], garbage)
	}
	w.apis[shyName].answer("/first/lost", garbage)
	p := w.start(0, smallBatches)
	w.send(0,
		said{thinName, "stuck", "e"}, said{shyName, "stuck", ""}, said{shyName, "a", ""}, said{thinName, "b", "e"},
		said{shyName, "lost", ""}, said{shyName, "c", ""},
	)
	w.Await("all but those in flight are settled, and those wait", func() bool {
		return len(w.finals()) == 3 && w.apis[thinName].times(stuck[0]) > 1 && w.apis[shyName].times(stuck[1]) > 1 && w.apis[shyName].times("/first/lost") > 1
	})
	normalizetest.Must(0, p.stop())(t)
	return w
}

// recover lets the APIs answer what they have not answered so far.
func (w *world) recover() {
	w.apis[thinName].answer("/live/sessions/stuck", everChanging())
	w.apis[shyName].answer("/first/stuck", everChanging())
	w.apis[shyName].answer("/first/lost", code(http.StatusNotFound))
	w.apis[shyName].answer("/second/lost", code(http.StatusNotFound))
}

// concluded checks that everything of inFlight was told once.
func (w *world) concluded() {
	w.T.Helper()
	w.settle()
	w.drain()
	w.audit()
	if events, dead := w.texts(), w.deadLetters(); len(events) != 5 || len(dead) != 1 {
		w.T.Errorf("events %v and %d dead letters, expected one event of each of stuck.e, stuck, a, b.e and c, and a dead letter of lost", events, len(dead))
	}
}

func TestOffsetsResetWhileTasksAreInFlight(t *testing.T) {
	for _, flush := range []bool{false, true} {
		w := inFlight(t, 1)
		w.reset(schemas.Hydrate, schemas.HydrateWait)
		if flush {
			w.Redis.FlushAll()
		}
		tasks, asked := len(w.tasks()), w.apis[shyName].times("/first/stuck")
		w.start(0, smallBatches)
		w.Await("the API is asked again", func() bool { return w.apis[shyName].times("/first/stuck") > asked+6 })
		if n := len(w.tasks()); n != tasks {
			t.Errorf("%d tasks were written while none had its answer", n-tasks)
		}
		w.recover()
		w.concluded()
	}
}

// A process that reads everything again dies before or after any of its commits.
func TestKillAtEveryCommitAfterAReset(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := int32(1); n <= 4; n++ {
			t.Run(fmt.Sprintf("commit %d, after %v", n, after), func(t *testing.T) {
				w := inFlight(t, 1)
				w.reset(schemas.Hydrate, schemas.HydrateWait)
				w.recover()
				p, died := w.startDying(n, after)
				select {
				case <-died:
					_ = p.stop()
				case <-w.Ctx.Done():
					t.Fatal("the process never came so far")
				}
				w.start(0, smallBatches)
				w.concluded()
			})
		}
	}
}

// Two processes are killed and the offsets reset, again and again, while tasks are in flight and every
// fetch would tell something else.
func TestResetsAndKillsAtRandom(t *testing.T) {
	w := newWorld(t, 3)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	var count, flaky atomic.Int64
	flaky.Store(3)
	for _, a := range w.apis {
		changing := everChanging()
		a.always(func(rw http.ResponseWriter, r *http.Request) {
			if every := flaky.Load(); every > 0 && count.Add(1)%every == 0 {
				rw.WriteHeader(http.StatusBadGateway)
				return
			}
			changing(rw, r)
		})
	}
	processes := []*process{w.start(0, smallBatches), w.start(1, smallBatches)}
	for round := range 4 {
		for i := range 12 {
			vendor, event := shyName, ""
			if i%2 == 0 {
				vendor, event = thinName, "e"
			}
			w.send(int32(i%3), said{vendor, fmt.Sprintf("o%d-%d", round, i), event})
		}
		w.Await("some are settled", func() bool {
			w.Undertaker.Bury(w.Ctx, normalize.DefaultGroup, hydrate.DefaultGroup)
			return len(w.finals()) > 12*round+rng.IntN(10)
		})
		for n, p := range processes {
			if rng.IntN(2) == 0 {
				p.kill()
			}
			_ = p.stop()
			processes[n] = nil
		}
		w.reset([][]string{{schemas.Hydrate}, {schemas.HydrateWait}, {schemas.Hydrate, schemas.HydrateWait}}[rng.IntN(3)]...)
		for n := range processes {
			processes[n] = w.start(n, smallBatches)
		}
	}
	flaky.Store(0)
	w.settle()
	w.drain()
	w.audit()
	if n := len(w.texts()); n != 48 {
		t.Errorf("%d events of 48 deliveries: %v", n, w.texts())
	}
}

// What went out without Redis is known again when Redis is back.
func TestResetAfterTasksWentOutUnverified(t *testing.T) {
	w := inFlight(t, 1)
	w.Redis.SetError("LOADING the data set")
	w.recover()
	p := w.start(0, smallBatches, func(o *hydrate.Options) {
		o.Stage.Health, o.Stage.FailOpenAfter = o.Stage.Claims.(*dedupe.Store), time.Millisecond
	})
	w.settle()
	w.Redis.SetError("")
	w.drain()
	normalizetest.Must(0, p.stop())(t)
	unverified := 0
	for _, e := range w.events() {
		if slices.Contains(e.GetMetadata().GetFlags(), "dedupe=unverified") {
			unverified++
		}
	}
	if unverified != 2 {
		t.Errorf("%d unverified events, expected the 2 that were in flight", unverified)
	}
	w.reset(schemas.Hydrate, schemas.HydrateWait)
	w.start(0, smallBatches)
	w.concluded()
}

// A process that begins without Redis knows from the dispositions in Kafka what is done behind the first task that
// is open, though the clock of what received the deliveries is two hours ahead.
func TestSuccessorWithoutRedis(t *testing.T) {
	w := newWorld(t, 1)
	for _, a := range w.apis {
		a.always(everChanging())
	}
	w.apis[thinName].answer("/live/sessions/stuck", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(`{}`)) })
	p := w.start(0, smallBatches)
	for _, s := range []said{{thinName, "stuck", "e"}, {shyName, "b", ""}, {shyName, "c", ""}, {thinName, "d", "e"}} {
		e := s.envelope()
		e.ReceivedAt = timestamppb.New(time.Now().Add(2 * time.Hour))
		w.Produce(&kgo.Record{Topic: schemas.DefaultPrefix + schemas.Raw, Key: s.key(), Value: normalizetest.Must(contract.Marshal(e))(t)})
	}
	w.Await("all but the first are done", func() bool { return len(w.finals()) == 3 })
	normalizetest.Must(0, p.stop())(t)
	w.apis[thinName].answer("/live/sessions/stuck", everChanging())
	w.Redis.SetError("LOADING the data set")
	w.start(0, smallBatches, func(o *hydrate.Options) {
		o.Stage.Health, o.Stage.FailOpenAfter = o.Stage.Claims.(*dedupe.Store), time.Millisecond
	})
	w.settle()
	w.drain()
	w.audit()
	if events := w.texts(); len(events) != 4 {
		t.Errorf("events %v, expected one of each delivery", events)
	}
}

// While Redis is away nothing is known of the tasks of a process before: they wait, and nobody is asked.
func TestWithoutRedisOlderTasksWait(t *testing.T) {
	w := inFlight(t, 1)
	w.reset(schemas.Hydrate)
	asked := w.apis[shyName].total() + w.apis[thinName].total()
	away := make(chan struct{})
	p := w.start(0, smallBatches, func(o *hydrate.Options) {
		o.Stage.Claims = awayLooking{o.Stage.Claims.(*dedupe.Store), sync.OnceFunc(func() { close(away) })}
	})
	select {
	case <-away:
	case <-w.Ctx.Done():
		t.Fatal("no mark was looked up")
	}
	_ = p.stop()
	if n := w.apis[shyName].total() + w.apis[thinName].total(); n != asked {
		t.Errorf("the APIs were asked %d times while Redis was away", n-asked)
	}
	w.recover()
	w.start(0, smallBatches)
	w.concluded()
}

// awayLooking is a Redis that is away whenever marks are looked up.
type awayLooking struct {
	*dedupe.Store
	gone func()
}

func (a awayLooking) Exchange(ctx context.Context, r dedupe.Round) (dedupe.Reply, error) {
	if len(r.Looks) > 0 {
		a.gone()
		return dedupe.Reply{}, fmt.Errorf("%w: a test says so", dedupe.ErrUnavailable)
	}
	return a.Store.Exchange(ctx, r)
}
