package hydrate

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// answeredBy is a copy of a task with its answer.
func answeredBy(task *kycv1.HydrateTask, body string) *kycv1.HydrateTask {
	c := proto.CloneOf(task)
	c.FetchResult, c.FetchedKind, c.Fetched, c.FetchedAt = kycv1.FetchResult_FETCH_RESULT_FETCHED, "thing", []byte(body), timestamppb.Now()
	return c
}

func TestWhichCopyIsLeft(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		task, other := r.task("a"), r.task("b")
		are(t, r.tasks(task, task, other), "copy", "round", "round")
		r.wasAsked("a", "b")
		are(t, r.tasks(task, answeredBy(task, `{"v":1}`), task), "copy", "published", "copy")
		r.wasAsked()
	})
}

// Each of several answers may have claimed, in the life of a process that died: none is passed over unless the
// one before it turns out to be final.
func TestSeveralAnswersOfOneTaskAreReadSingly(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		task := r.task("a")
		first, second := r.record(answeredBy(task, `{"v":1}`)), r.record(answeredBy(task, `{"v":2}`))
		if back, ok := r.batch(first, r.record(task), second).(normalize.GiveBack); !ok || !back.Singly || back.Cause != nil {
			t.Errorf("the source wants %+v, expected the batch record by record", back)
		}
		for _, one := range []*kgo.Record{first, second} {
			are(t, processed(t, r.batch(one)), "published")
		}
	})
}

// Records that are no tasks of their partition were written by somebody else.
func TestRecordsThatAreNoTasks(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		garbage, elsewhere := r.record(r.task("a")), r.record(r.task("b"))
		garbage.Value = []byte("no task")
		elsewhere.Partition = 1
		nameless := r.task("c")
		nameless.Envelope.Endpoint = ""
		are(t, processed(t, r.batch(garbage, elsewhere, r.record(nameless), r.record(r.task("d")))), "unreadable", "unreadable", "unreadable", "round")
		r.wasAsked("d")
		if n := r.counted("unreadable_total"); n != 3 {
			t.Errorf("%v records are counted as unreadable, expected 3", n)
		}
	})
}

// What killed the process alone is not touched again, whether its answer is there or not.
func TestAPoisonPillIsNotInterpreted(t *testing.T) {
	deadly := required()
	deadly.Parse = func(*providers.Delivery) (*providers.Notice, error) { panic("interpreted again") }
	inRig(t, func(t *testing.T, r *rig) {
		r.in.PoisonPill = func(*kgo.Record) bool { return true }
		for _, task := range []*kycv1.HydrateTask{r.task("a"), answeredBy(r.task("b"), `{}`)} {
			next := r.batch(r.record(task))
			are(t, processed(t, next), "DEAD_LETTER_REASON_CRASHER")
			dead, ok := next.(normalize.Process).Readings[0].Outcome.(*normalize.DeadLetter)
			if !ok || dead.Stack != nil {
				t.Errorf("the task becomes %+v, expected a dead letter without a panic", dead)
			}
		}
		r.wasAsked()
	}, func(o *Options) { o.Stage.Providers = []providers.Provider{deadly} })
}

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

// A record that Kafka does not take would block its partition for ever.
func TestAnAnswerTooLargeForARecordIsAFailure(t *testing.T) {
	const body = `{"v":1}`
	inRig(t, func(t *testing.T, r *rig) {
		r.api = func(id string) (int, string) { return http.StatusOK, body + strings.Repeat(" ", len(id)-1) }
		task := r.task("a")
		r.o.Stage.MaxRecordBytes = proto.Size(task) + len(body) + len("v/subject") + recordOverhead
		are(t, r.tasks(task), "stored")
		larger := r.task("ab")
		got := r.tasks(larger)
		are(t, got, "waiting")
		r.wasAsked("a", "ab")
		if task := got[0].task; task.GetAttempt() != 1 || task.GetFetched() != nil || task.GetFetchResult() != kycv1.FetchResult_FETCH_RESULT_PENDING {
			t.Errorf("the task is %v, expected another try", task)
		}
	})
}

// The wait topic's worker goes by its own clock, which may be ahead of this one's.
func TestATaskIsNotAskedForBeforeItsTime(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		task := r.task("a")
		task.NotBefore = timestamppb.New(time.Now().Add(time.Minute))
		got := r.tasks(task)
		are(t, got, "waiting")
		r.wasAsked()
		if got[0].topic != schemas.HydrateWait || !proto.Equal(got[0].task, task) {
			t.Errorf("%v goes to %s, expected it as it was in the wait topic", got[0].task, got[0].topic)
		}
		time.Sleep(time.Minute)
		are(t, r.tasks(task), "stored")
		r.wasAsked("a")
	})
}

// A vendor that is slow holds up nobody: a task whose fetch takes long waits in the wait topic, and finds its
// answer there is when it comes back.
func TestASlowFetchSendsItsTaskToTheWaitTopic(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		r.api = func(string) (int, string) { <-release; return http.StatusOK, `{"v":1}` }
		task := r.task("a")
		are(t, r.tasks(task), "round") // after longestHold
		are(t, r.tasks(task), "round") // after goesRound
		got := r.tasks(task)
		are(t, got, "waiting")
		if until := got[0].task.GetNotBefore().AsTime(); got[0].topic != schemas.HydrateWait || !until.Equal(time.Now().Add(slowBack)) {
			t.Errorf("it goes to %s until %v", got[0].topic, until)
		}
		close(release)
		time.Sleep(slowBack)
		got = r.tasks(got[0].task)
		are(t, got, "stored")
		r.wasAsked("a")
		if got[0].task.GetNotBefore() != nil || got[0].task.GetAttempt() != 1 || string(got[0].task.GetFetched()) != `{"v":1}` {
			t.Errorf("the task becomes %v", got[0].task)
		}
	}, func(o *Options) { o.Timeout = time.Hour })
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

// The last chance of a task is one request; it is not spent on an API that is known to fail.
func TestWhatPatienceAllows(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.api = func(string) (int, string) { return http.StatusBadGateway, "" }
		late, tried := r.task("late"), r.task("tried")
		tried.Attempt = 1
		time.Sleep(r.o.GiveUpAfter)
		got := r.tasks(late)
		are(t, got, "waiting")
		if task := got[0].task; task.GetAttempt() != 1 || task.GetNotBefore().AsTime().After(time.Now()) {
			t.Errorf("after its last chance the task is %v", task)
		}
		r.wasAsked("late")
		for _, task := range []*kycv1.HydrateTask{got[0].task, tried} {
			got := r.tasks(task)
			are(t, got, "stored")
			if task := got[0].task; task.GetFetchResult() != kycv1.FetchResult_FETCH_RESULT_GAVE_UP || task.GetFetchedAt() != nil || task.GetNotBefore() != nil {
				t.Errorf("a task that is given up is %v", task)
			}
		}
		for n := range breakerFailures {
			r.tasks(r.task(fmt.Sprint("young", n)))
		}
		r.mu.Lock()
		r.asked = nil
		r.mu.Unlock()
		another := r.task("another")
		another.Envelope.ReceivedAt = late.Envelope.ReceivedAt
		are(t, r.tasks(another, r.task("young")), "stored", "waiting")
		r.wasAsked()
	})
}

// Retries come later and later, as the API wishes, and no later than when patience ends.
func TestWhenRetriesCome(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		for _, c := range []struct {
			attempt     int32
			wish, age   time.Duration
			least, most time.Duration
		}{
			{0, 0, 0, time.Second / 2, time.Second},
			{3, 0, 0, 4 * time.Second, 8 * time.Second},
			{9, 0, 0, retryLast / 2, retryLast},
			{1000, 0, 0, retryLast / 2, retryLast},
			{0, time.Minute, 0, time.Minute, time.Minute},
			{1000, 0, r.o.GiveUpAfter - time.Second, time.Second, time.Second},
			{0, time.Minute, r.o.GiveUpAfter + time.Second, 0, 0},
		} {
			now, e := time.Now(), &entry{task: r.task("a")}
			e.task.Attempt, e.task.Envelope.ReceivedAt = c.attempt, timestamppb.New(now.Add(-c.age))
			r.retry(e, &failure{after: c.wish}, now)
			if back := e.task.GetNotBefore().AsTime().Sub(now); back < c.least || back > c.most || e.task.GetAttempt() != c.attempt+1 || e.state != waits {
				t.Errorf("%+v: back after %v, attempt %d", c, back, e.task.GetAttempt())
			}
		}
	})
}

// Whoever is turned away comes back in time for the last chance.
func TestATurnedAwayTaskComesBackWhenPatienceEnds(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.api = func(string) (int, string) { return http.StatusUnauthorized, "" }
		are(t, r.tasks(r.task("a")), "waiting")
		r.wasAsked("a")
		task := r.task("b")
		got := r.tasks(task)
		are(t, got, "waiting")
		r.wasAsked()
		if back, due := got[0].task.GetNotBefore().AsTime(), task.GetEnvelope().GetReceivedAt().AsTime().Add(2*time.Second); !back.Equal(due) {
			t.Errorf("it comes back at %v, expected %v", back, due)
		}
	}, func(o *Options) { o.GiveUpAfter = 2 * time.Second })
}

// A second question wants a later answer than the first had, whoever else has asked meanwhile.
func TestASecondQuestionWantsALaterAnswer(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		again := r.task("a")
		again.AskedAgain, again.FetchedAt = true, timestamppb.New(time.Now().Add(time.Second-r.o.AskAgainAfter))
		are(t, r.tasks(r.task("a")), "stored")
		r.wasAsked("a")
		time.Sleep(time.Second)
		are(t, r.tasks(again), "stored")
		r.wasAsked("a")
	})
}

// Without an API there is nobody to ask: a vendor that must be asked waits for its configuration while there is
// patience, any other does without.
func TestEndpointsWithoutAnAPI(t *testing.T) {
	optional := required()
	optional.Hydration.Required = false
	for name, c := range map[string]struct {
		vendor      providers.Provider
		early, late string
	}{
		"required": {required(), "waiting", "stored"},
		"optional": {optional, "stored", "stored"},
	} {
		t.Run(name, func(t *testing.T) {
			inRig(t, func(t *testing.T, r *rig) {
				task := r.task("a")
				got := r.tasks(task)
				are(t, got, c.early)
				if until := got[0].task.GetNotBefore().AsTime(); c.early == "waiting" && !until.Equal(time.Now().Add(time.Minute)) {
					t.Errorf("it waits until %v, expected a minute", until)
				}
				time.Sleep(r.o.GiveUpAfter)
				got = r.tasks(task)
				are(t, got, c.late)
				if result := got[0].task.GetFetchResult(); result != kycv1.FetchResult_FETCH_RESULT_GAVE_UP {
					t.Errorf("it ends as %v", result)
				}
			}, func(o *Options) { o.Endpoints, o.Stage.Providers = nil, []providers.Provider{c.vendor} })
		})
	}
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
