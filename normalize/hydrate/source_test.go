package hydrate

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/normalize"
)

// An answer that waited for its task, while a later one about the same subject was stored, is not stored behind
// that: the API is asked once more.
func TestAnOlderAnswerIsNotStoredBehindANewerOne(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		version, release := 0, make(chan struct{})
		r.api = func(id string) (int, string) {
			if version++; id == "a" {
				<-release
			}
			return http.StatusOK, fmt.Sprintf(`{"v":%d}`, version)
		}
		older := r.task("a")
		are(t, r.tasks(older), "asking")
		close(release)
		r.wasAsked("a")
		time.Sleep(time.Second)
		newer := r.tasks(r.task("b"))
		are(t, newer, "stored")
		r.wasAsked("b")
		time.Sleep(time.Second)
		again := r.tasks(older)
		are(t, again, "stored")
		r.wasAsked("a")
		if at, before := again[0].task.GetFetchedAt().AsTime(), newer[0].task.GetFetchedAt().AsTime(); at.Before(before) {
			t.Errorf("an answer of %v is stored behind one of %v", at, before)
		}
	})
}

// A fetch that failed says nothing about the subject, so no answer is newer.
func TestAFailureIsNotOutrun(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		are(t, r.tasks(r.task("a")), "stored")
		r.wasAsked("a")
		r.api = func(string) (int, string) { return http.StatusBadGateway, "" }
		got := r.tasks(r.task("b"))
		are(t, got, "waiting")
		r.wasAsked("b")
		if n := got[0].task.GetAttempt(); n != 1 {
			t.Errorf("it was tried %d times, expected once", n)
		}
	})
}

// One fetch answers the webhooks that were in hand when it began, and each of them once. A webhook that came
// later may be about a later state.
func TestWhichWebhooksAFetchAnswers(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		version, release := 0, make(chan struct{})
		r.api = func(string) (int, string) {
			version++
			body := fmt.Sprintf(`{"v":%d}`, version)
			<-release
			return http.StatusOK, body
		}
		first, second, third := r.record(r.task("a")), r.record(r.task("a")), r.record(r.task("a"))
		are(t, r.records(second, first), "asking", "asking")
		are(t, r.records(third), "asking")
		r.wasAsked("a")
		close(release)
		r.batch()
		for record, want := range map[*kgo.Record]string{first: `{"v":1}`, second: `{"v":1}`, third: `{"v":2}`} {
			if got := r.of(record); string(got.task.GetFetched()) != want {
				t.Errorf("the webhook at %d is answered %v, expected %s", record.Offset, got.task, want)
			}
		}
		r.wasAsked("a")
		if n := r.counted("coalesced_total"); n != 1 {
			t.Errorf("%v tasks are counted as answered by another's fetch, expected 1", n)
		}
		third.Offset = second.Offset + 10
		if got := r.records(third); string(got[0].task.GetFetched()) != `{"v":3}` {
			t.Errorf("a task that has had its answer is answered %v", got)
		}
		r.wasAsked("a")
	})
}

// Answers are in the log in the order in which they came, whatever that of their tasks, and whatever the clock says.
func TestAnswersAreInTheOrderOfTheirFetches(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		release := map[string]chan struct{}{"a": make(chan struct{}), "b": make(chan struct{})}
		r.api = func(id string) (int, string) { <-release[id]; return http.StatusOK, `{"id":"` + id + `"}` }
		are(t, r.tasks(r.task("a"), r.task("b")), "asking", "asking")
		close(release["b"])
		time.Sleep(time.Millisecond)
		close(release["a"])
		synctest.Wait()
		for _, e := range r.hand { // the clock is set back between the two
			if e.target.ID == "a" {
				e.fetch.at = e.fetch.at.Add(-15 * time.Second)
			}
		}
		got := processed(t, r.step())
		are(t, got, "stored", "stored")
		if first, second := string(got[0].task.GetFetched()), string(got[1].task.GetFetched()); first != `{"id":"b"}` || second != `{"id":"a"}` {
			t.Errorf("the log holds %s, then %s", first, second)
		}
		if first, second := got[0].task.GetFetchedAt().AsTime(), got[1].task.GetFetchedAt().AsTime(); second.Before(first) {
			t.Errorf("the first was fetched at %v, the second at %v", first, second)
		}
	})
}

// While fetches are under way, polls end soon and bring more; while nothing is, they last as long as they may. Where
// too many tasks wait, they bring nothing.
func TestPolls(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.asker.accounts["endpoint"].client.Transport = hanging{}
		poll := func(want normalize.Poll) {
			t.Helper()
			if want.Wakeup = &r.wakeup; r.Begin() != want {
				t.Errorf("the poll is %+v, expected %+v", r.Begin(), want)
			}
		}
		poll(normalize.Poll{Max: 3})
		if next := r.step(); next != (normalize.Idle{}) {
			t.Errorf("after nothing came the source wants %+v", next)
		}
		r.step(r.record(r.task("a")), r.record(r.task("b")))
		poll(normalize.Poll{Max: 3, Limit: pollOn})
		r.lot.most = 2
		for range 2 {
			task := r.task("later")
			task.NotBefore = timestamppb.New(time.Now().Add(time.Minute))
			r.step(r.record(task))
		}
		poll(normalize.Poll{Limit: pollOn})
	}, func(o *Options) { o.Stage.Batch = 3 })
}

func TestOnlySoManySubjectsAreRemembered(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		for n := range latestMost + 1 {
			r.latest[fmt.Sprint(n)] = lastAnswer{}
		}
		are(t, r.tasks(r.task("a")), "stored")
		if len(r.latest) != 1 {
			t.Errorf("%d subjects are remembered", len(r.latest))
		}
	})
}

// A webhook that comes while its object is fetched waits for that fetch, but wants one of its own.
func TestAWebhookDuringAFetchWantsAnother(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		r.api = func(string) (int, string) { <-release; return http.StatusOK, `{}` }
		are(t, r.tasks(r.task("a")), "asking")
		r.wasAsked("a")
		time.AfterFunc(10*latency, func() { close(release) })
		are(t, r.tasks(r.task("a")), "stored")
		r.wasAsked("a")
	})
}
