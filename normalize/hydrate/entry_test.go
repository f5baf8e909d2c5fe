package hydrate

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/providers"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

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

// A record that Kafka does not take would block its partition for ever, and the API says the same each time: the
// task becomes a dead letter, after a few tries.
func TestAnAnswerTooLargeForARecordIsADeadLetter(t *testing.T) {
	const body = `{"v":1}`
	inRig(t, func(t *testing.T, r *rig) {
		r.api = func(id string) (int, string) { return http.StatusOK, body + strings.Repeat(" ", len(id)-1) }
		task := r.task("a")
		r.o.Stage.MaxRecordBytes = proto.Size(task) + len(body) + len("v/subject") + recordOverhead
		are(t, r.tasks(task), "stored")
		large := r.record(r.task("ab"))
		r.batch(large)
		for n := range largeMost - 1 {
			got := r.of(large)
			are(t, []became{got}, "waiting")
			if got.task.GetAttempt() != int32(n+1) || got.task.GetFetched() != nil || got.task.GetFetchResult() != kycv1.FetchResult_FETCH_RESULT_PENDING {
				t.Errorf("the task is %v, expected another try", got.task)
			}
			time.Sleep(retryLast)
			r.batch()
		}
		are(t, []became{r.of(large)}, "DEAD_LETTER_REASON_HYDRATION_FAILED")
		r.wasAsked("a", "ab", "ab", "ab")
		r.api = func(string) (int, string) { return http.StatusNotFound, "" }
		r.o.Stage.MaxRecordBytes = proto.Size(task) // and now not even the task itself
		are(t, r.tasks(r.task("c")), "DEAD_LETTER_REASON_HYDRATION_FAILED")
	})
}

// A clock that was ahead, or is set back, delays no task by more than the longest pause.
func TestATaskIsNotAskedForBeforeItsTime(t *testing.T) {
	for written, wait := range map[time.Duration]time.Duration{time.Minute: time.Minute, 24 * time.Hour: retryLast} {
		inRig(t, func(t *testing.T, r *rig) {
			task := r.task("a")
			task.NotBefore = timestamppb.New(time.Now().Add(written))
			one := r.record(task)
			r.batch(one)
			are(t, []became{r.of(one)}, "waiting")
			time.Sleep(wait - 100*latency)
			r.batch()
			r.wasAsked()
			time.Sleep(100 * latency)
			r.batch()
			are(t, []became{r.of(one)}, "stored")
			r.wasAsked("a")
		})
	}
}

// A vendor that is slow holds up nobody: a task stays in hand while its fetch lasts, and nothing is written for it.
func TestASlowFetchHoldsUpNobody(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		r.api = func(id string) (int, string) {
			if id == "a" {
				<-release
			}
			return http.StatusOK, `{"v":1}`
		}
		slow := r.record(r.task("a"))
		r.batch(slow)
		for range 3 {
			are(t, r.tasks(r.task("b")), "stored")
			if r.offset != slow.Offset {
				t.Errorf("the group's offset is %d, expected it at the task that is open, %d", r.offset, slow.Offset)
			}
		}
		close(release)
		r.batch()
		are(t, []became{r.of(slow)}, "stored")
		r.wasAsked("a", "b", "b", "b")
		if want := slow.Offset + 4; r.offset != want {
			t.Errorf("the group's offset is %d, expected %d: behind all", r.offset, want)
		}
	}, func(o *Options) { o.Timeout = time.Hour })
}

// The last chance of a task is one request; it is not spent on an API that is known to fail.
func TestWhatPatienceAllows(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.api = func(string) (int, string) { return http.StatusBadGateway, "" }
		late, tried := r.task("late"), r.task("tried")
		tried.Attempt = 1
		time.Sleep(r.o.GiveUpAfter)
		for _, got := range r.tasks(late, tried) {
			are(t, []became{got}, "stored")
			if task := got.task; task.GetAttempt() != 1 || task.GetFetchResult() != kycv1.FetchResult_FETCH_RESULT_GAVE_UP || task.GetFetchedAt() != nil || task.GetNotBefore() != nil {
				t.Errorf("a task that is given up is %v", task)
			}
		}
		r.wasAsked("late")
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
			attempt     int32 // the one that failed
			wish, age   time.Duration
			least, most time.Duration
		}{
			{1, 0, 0, time.Second / 2, time.Second},
			{4, 0, 0, 4 * time.Second, 8 * time.Second},
			{10, 0, 0, retryLast / 2, retryLast},
			{1000, 0, 0, retryLast / 2, retryLast},
			{1, time.Minute, 0, time.Minute, time.Minute},
			{1000, 0, r.o.GiveUpAfter - time.Second, time.Second, time.Second},
			{1, time.Minute, r.o.GiveUpAfter + time.Second, 0, 0},
		} {
			now, e := time.Now(), &entry{task: r.task("a"), question: question{object: object{endpoint: "endpoint"}}}
			e.task.Attempt, e.task.Envelope.ReceivedAt = c.attempt, timestamppb.New(now.Add(-c.age))
			r.retry(e, &failure{after: c.wish}, now)
			if back := e.back.Sub(now); back < c.least || back > c.most || e.state != waits {
				t.Errorf("%+v: back after %v", c, back)
			}
		}
	})
}

// Whoever is turned away is given up when patience ends, though the breaker is open for longer.
func TestATurnedAwayTaskComesBackWhenPatienceEnds(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.api = func(string) (int, string) { return http.StatusUnauthorized, "" }
		are(t, r.tasks(r.task("a")), "waiting")
		r.wasAsked("a")
		turned := r.record(r.task("b"))
		r.batch(turned)
		are(t, []became{r.of(turned)}, "waiting")
		time.Sleep(r.o.GiveUpAfter - 50*latency)
		r.batch()
		are(t, []became{r.of(turned)}, "waiting")
		time.Sleep(50 * latency)
		r.batch()
		are(t, []became{r.of(turned)}, "stored")
		r.wasAsked()
		if task := r.of(turned).task; task.GetFetchResult() != kycv1.FetchResult_FETCH_RESULT_GAVE_UP {
			t.Errorf("the task is %v, expected it given up", task)
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

// An API that may lag is asked once more before an answer is believed that brings nothing: it does not know the
// object, or says what was said before. It does not lag for as long as patience lasts, nor does it take back that an
// object is gone.
func TestWhatIsAskedForOnceMore(t *testing.T) {
	lagging := required()
	lagging.Hydration.AskAgain = true
	inRig(t, func(t *testing.T, r *rig) {
		again := func(task *kycv1.HydrateTask) *kycv1.HydrateTask {
			return r.step(r.record(task)).(normalize.Process).Readings[0].AskAgain
		}
		task, gone := r.task("a"), r.task("a")
		second := again(answeredBy(task, `{}`))
		if at := time.Now().Add(r.o.AskAgainAfter); !second.GetAskedAgain() || !second.GetNotBefore().AsTime().Equal(at) || second.GetFetched() != nil {
			t.Fatalf("the second question is %v, expected it at %v", second, at)
		}
		gone.FetchResult = kycv1.FetchResult_FETCH_RESULT_GONE
		if again(answeredBy(second, `{}`)) != nil || again(gone) != nil {
			t.Error("a second answer, or that it is gone, is not believed")
		}
		r.wasAsked()

		r.api = func(string) (int, string) { return http.StatusNotFound, "" }
		got := r.tasks(task)
		are(t, got, "waiting")
		r.wasAsked("a")
		if second = got[0].task; !second.GetAskedAgain() || second.GetAttempt() != 1 {
			t.Errorf("after an unknown object the task is %v", second)
		}
		time.Sleep(time.Until(got[0].entry.back) - latency)
		r.step()
		r.wasAsked()
		time.Sleep(latency)
		r.batch()
		got[0] = r.of(&kgo.Record{Offset: got[0].entry.in.Offset})
		are(t, got, "stored")
		r.wasAsked("a")
		if last := got[0].task; last.GetFetchResult() != kycv1.FetchResult_FETCH_RESULT_NOT_FOUND || last.GetAttempt() != 2 {
			t.Errorf("after a second time the task is %v", last)
		}

		late := r.task("late")
		time.Sleep(r.o.GiveUpAfter)
		are(t, r.tasks(late), "stored")
		if again(answeredBy(late, `{}`)) != nil {
			t.Error("the API is asked once more after patience has ended")
		}
	}, func(o *Options) {
		o.Endpoints[0].Provider, o.Stage.Providers = lagging, []providers.Provider{lagging}
	})
}
