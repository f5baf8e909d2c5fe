package hydrate

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
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
		are(t, r.tasks(older), "round")
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
		first, second, third := r.task("a"), r.task("a"), r.task("a")
		are(t, r.tasks(second, first), "round", "round")
		are(t, r.tasks(third), "round")
		r.wasAsked("a")
		close(release)
		synctest.Wait()
		answers := func(tasks []became) (all []string) {
			are(t, tasks, slices.Repeat([]string{"stored"}, len(tasks))...)
			for _, b := range tasks {
				all = append(all, string(b.task.GetFetched()))
			}
			return all
		}
		if got := answers(r.tasks(first, second)); !slices.Equal(got, []string{`{"v":1}`, `{"v":1}`}) {
			t.Errorf("the webhooks before the fetch are answered %v", got)
		}
		r.wasAsked()
		if n := r.counted("coalesced_total"); n != 1 {
			t.Errorf("%v tasks are counted as answered by another's fetch, expected 1", n)
		}
		if got := answers(r.tasks(third)); got[0] != `{"v":2}` {
			t.Errorf("the webhook after the fetch is answered %v", got)
		}
		r.wasAsked("a")
		if got := answers(r.tasks(third)); got[0] != `{"v":3}` {
			t.Errorf("a task that has had its answer is answered %v", got)
		}
		r.wasAsked("a")
	})
}

// Answers are in the log in the order in which they came, whatever that of their tasks.
func TestAnswersAreInTheOrderOfTheirFetches(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		release := map[string]chan struct{}{"a": make(chan struct{}), "b": make(chan struct{})}
		r.api = func(id string) (int, string) { <-release[id]; return http.StatusOK, `{"id":"` + id + `"}` }
		a, b := r.task("a"), r.task("b")
		are(t, r.tasks(a, b), "round", "round")
		close(release["b"])
		time.Sleep(time.Millisecond)
		close(release["a"])
		synctest.Wait()
		got := r.tasks(a, b)
		are(t, got, "stored", "stored")
		if first, second := string(got[0].task.GetFetched()), string(got[1].task.GetFetched()); first != `{"id":"b"}` || second != `{"id":"a"}` {
			t.Errorf("the log holds %s, then %s", first, second)
		}
	})
}

// While fetches are under way, polls fill the batch; at the end of the process they go round at once.
func TestPollsOfABatch(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.asker.accounts["endpoint"].client.Transport = hanging{}
		if p := r.Begin(); p.Max != 3 || p.Limit != 0 {
			t.Errorf("the first poll is %+v", p)
		}
		take := func(ctx context.Context, polled ...*kgo.Record) normalize.Next {
			return normalizetest.Must(r.Take(ctx, r.in, polled))(t)
		}
		if next := take(t.Context()); next != (normalize.Idle{}) {
			t.Errorf("after nothing came the source wants %+v", next)
		}
		want := normalize.Poll{Max: 1, Limit: pollOn, Wakeup: &r.wakeup}
		if next := take(t.Context(), r.record(r.task("a")), r.record(r.task("b"))); next != want {
			t.Errorf("after two records the source wants %+v, expected %+v", next, want)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		are(t, processed(t, take(ended)), "round", "round")
	}, func(o *Options) { o.Stage.Batch = 3 })
}

func TestOnlySoManySubjectsAreRemembered(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		for n := range latestMost + 1 {
			r.latest[fmt.Sprint(n)] = time.Now()
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
		are(t, r.tasks(r.task("a")), "round")
		r.wasAsked("a")
		time.AfterFunc(10*latency, func() { close(release) })
		are(t, r.tasks(r.task("a")), "stored")
		r.wasAsked("a")
	})
}
