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
	inRig(t, func(r *rig) {
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
	inRig(t, func(r *rig) {
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
	inRig(t, func(r *rig) {
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
	inRig(t, func(r *rig) {
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
	inRig(t, func(r *rig) {
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
	inRig(t, func(r *rig) {
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
	inRig(t, func(r *rig) {
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
	inRig(t, func(r *rig) {
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
