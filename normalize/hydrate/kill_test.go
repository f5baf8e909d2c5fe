package hydrate_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// deadline is a session that dies before or after one of its commits.
type dying struct {
	*sink.Session
	kill  func()
	left  *atomic.Int32 // commits until it dies
	after bool
}

func (d dying) Commit(ctx context.Context, out []record.Outgoing) (bool, error) {
	last := d.left.Add(-1) == 0
	if last && !d.after {
		d.kill()
	}
	ok, err := d.Session.Commit(ctx, out)
	if last && d.after {
		d.kill()
		return false, normalizetest.ErrKilled
	}
	return ok, err
}

// A process that dies before or after any of its commits, of either topic, loses and doubles nothing.
func TestKillAtEveryCommit(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := int32(1); n <= 4; n++ {
			t.Run(fmt.Sprintf("commit %d, after %v", n, after), func(t *testing.T) { killAt(t, n, after) })
		}
	}
}

func killAt(t *testing.T, n int32, after bool) {
	w := newWorld(t, 1)
	w.apis[thinName].set("/live/sessions/s", "s", "approved", 1)
	failed := false
	w.apis[shyName].answer("/first/o", func(rw http.ResponseWriter, _ *http.Request) {
		if !failed { // through the wait topic once
			failed = true
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = rw.Write([]byte(`{"id":"o","status":"done","version":1}`))
	})
	p, died := w.startDying(n, after)
	w.send(0, said{thinName, "s", "e"}, said{shyName, "o", ""}, said{thinName, "s", "e"})
	select {
	case <-died:
		_ = p.stop()
		w.start(0)
	case <-w.Ctx.Done():
		t.Fatal("the process never came so far")
	}
	w.settle()
	w.expect("s.e/approved/fetched", "o/done/fetched")
	w.audit()
}

// startDying runs a process that dies at the n-th commit of its hydrator, and says when it has.
func (w *world) startDying(n int32, after bool) (p *process, died chan struct{}) {
	died = make(chan struct{})
	left := &atomic.Int32{}
	left.Store(n)
	ready := make(chan struct{})
	kill := func() { <-ready; p.line.Cut(); close(died) }
	p = w.start(0, func(o *hydrate.Options) {
		die := func(slot *normalize.Slot) {
			slot.Session = dying{slot.Session.(*sink.Session), kill, left, after}
		}
		o.Stage.Sessions, o.Wait = normalizetest.Wrap(o.Stage.Sessions, die), normalizetest.Wrap(o.Wait, die)
	})
	close(ready)
	return p, died
}

// Processes come and go at random while APIs fail at random.
func TestKillsAtRandom(t *testing.T) {
	w := newWorld(t, 4)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	var flaky atomic.Bool
	flaky.Store(true)
	var count atomic.Int64
	for _, a := range w.apis {
		a.always(func(rw http.ResponseWriter, r *http.Request) {
			if n := count.Add(1); flaky.Load() && n%3 == 0 {
				rw.WriteHeader(http.StatusBadGateway)
				return
			}
			done(rw, r)
		})
	}
	slots := []*process{w.start(0), w.start(1)}
	var want []string
	for i := range 120 {
		id := fmt.Sprintf("o%d", i)
		one := said{shyName, id, ""}
		if i%2 == 0 {
			one = said{thinName, id, "e"}
			want = append(want, id+".e/done/fetched")
		} else {
			want = append(want, id+"/done/fetched")
		}
		p := int32(i % 4)
		w.send(p, one, one)
		if i%30 == 15 {
			n := rng.IntN(len(slots))
			slots[n].kill()
			slots[n] = w.start(n)
		}
	}
	flaky.Store(false)
	w.settle()
	w.expect(want...)
	w.audit()
}

// done answers that an object is done.
func done(rw http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprintf(rw, `{"id":%q,"status":"done","version":1}`, path.Base(r.URL.Path))
}

// What a stored record means is read again without asking anybody, and is the same to the byte.
func TestASecondReadingOfTheStoredRecordAsksNobody(t *testing.T) {
	w := newWorld(t, 1)
	w.apis[thinName].set("/live/sessions/s", "s", "approved", 1)
	w.apis[shyName].set("/first/o", "o", "done", 1)
	p := w.start(0)
	w.send(0, said{thinName, "s", "e"}, said{shyName, "o", ""})
	w.settle()
	_ = p.stop()
	for _, a := range w.apis {
		a.always(func(http.ResponseWriter, *http.Request) { t.Error("the API was asked") })
	}
	o := w.stage(0, w.Undertaker.Line(), hydrate.DefaultGroup, schemas.Hydrate)
	reads := normalize.NewInterpreter(o.Providers, o.Validator, normalize.InterpreterOptions{StaleAfter: o.TTL})
	written := map[string][]byte{}
	for _, r := range w.Read(schemas.Session) {
		e := &kycv1.SessionEvent{}
		if err := proto.Unmarshal(r.Value, e); err != nil {
			t.Fatal(err)
		}
		written[e.GetMetadata().GetEventId()] = r.Value
	}
	again := 0
	for _, r := range w.Read(schemas.Hydrate) {
		task := &kycv1.HydrateTask{}
		if err := proto.Unmarshal(r.Value, task); err != nil {
			t.Fatal(err)
		}
		if task.GetFetchResult() == kycv1.FetchResult_FETCH_RESULT_PENDING {
			continue
		}
		reading := normalizetest.Must(reads.InterpretTask(normalize.RecordOf(r, w.IDs[schemas.Hydrate]), w.IDs[schemas.Raw], task))(t)
		for _, out := range normalizetest.Records(t, reading, dedupe.Verdict{Action: dedupe.Publish}, time.Now()) {
			if e, ok := normalizetest.Message(t, out).(*kycv1.SessionEvent); ok {
				if !bytes.Equal(out.Value, written[e.GetMetadata().GetEventId()]) {
					t.Errorf("a second pass gives %v", e)
				}
				again++
			}
		}
	}
	if again != 2 || len(written) != 2 {
		t.Errorf("%d events read again, %d written, expected 2", again, len(written))
	}
}

// Tasks of an API that refuses us stay where they are, and nothing is written for them; those of another one that
// come later pass them. A successor finds them again.
func TestWaitingTasksStayWhereTheyAre(t *testing.T) {
	w := newWorld(t, 1)
	w.apis[shyName].always(code(http.StatusUnauthorized)) // its breaker stays open for long
	p := w.start(0)
	w.send(0, said{shyName, "a", ""}, said{shyName, "b", ""})
	w.Await("the API is asked", func() bool { return w.apis[shyName].total() > 0 })
	want := []string{"a/done/fetched", "b/done/fetched"}
	for n := range 20 {
		id := fmt.Sprint("s", n)
		w.apis[thinName].set("/live/sessions/"+id, id, "approved", 1)
		w.send(0, said{thinName, id, "e"})
		want = append(want, id+".e/approved/fetched")
		w.Await("the other vendor's event is out", func() bool { return len(w.texts()) == n+1 })
	}
	if n := len(w.tasks()); n != 2+2*20 {
		t.Errorf("the topic holds %d tasks, expected 2 that wait, and 20 with their answers", n)
	}
	if behind, _ := w.behind(schemas.Hydrate); behind == 0 {
		t.Error("the group has passed the tasks that wait")
	}
	if n := w.apis[shyName].total(); n > 3 {
		t.Errorf("refused credentials were shown %d times", n)
	}
	p.kill()
	w.apis[shyName].always(done)
	w.start(0)
	w.settle()
	w.drain()
	w.expect(want...)
	w.audit()
	if n := len(w.Read(schemas.HydrateWait)); n != 0 {
		t.Errorf("%d records were written to the wait topic", n)
	}
}

// A webhook that arrives while its object is being fetched starts another fetch: the first may be too
// early for it.
func TestALaterWebhookStartsAnotherFetch(t *testing.T) {
	w := newWorld(t, 1)
	api := w.apis[shyName]
	release := make(chan struct{})
	api.answer("/first/o", func(rw http.ResponseWriter, r *http.Request) {
		api.set("/first/o", "o", "done", 2)
		<-release
		_, _ = rw.Write([]byte(`{"id":"o","status":"open","version":1}`))
	})
	w.start(0)
	w.send(0, said{shyName, "o", ""})
	w.Await("the first fetch is under way", func() bool { return api.times("/first/o") == 1 })
	w.send(0, said{shyName, "o", ""})
	w.Await("the second task is there", func() bool {
		raws := map[int64]bool{}
		for _, task := range w.tasks() {
			raws[task.GetRaw().GetOffset()] = true
		}
		return len(raws) == 2
	})
	close(release)
	w.settle()
	w.expect("o/open/fetched", "o/done/fetched")
	w.audit()
	var at time.Time
	for _, e := range w.events() {
		if fetched := e.GetMetadata().GetFetchedAt().AsTime(); fetched.Before(at) {
			t.Error("events are not in the order of their fetches")
		} else {
			at = fetched
		}
	}
}
