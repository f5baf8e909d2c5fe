package hydrate

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/normalize"
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
		are(t, r.tasks(task, task, other), "copy", "stored", "stored")
		r.wasAsked("a", "b")
		are(t, r.tasks(task, answeredBy(task, `{"v":1}`), task), "copy", "published", "copy")
		r.wasAsked()
		tried, again := proto.CloneOf(task), proto.CloneOf(task)
		tried.Attempt, again.AskedAgain, again.FetchedAt = 2, true, timestamppb.New(time.Now().Add(-time.Hour))
		are(t, r.tasks(task, again, tried, task), "copy", "stored", "copy", "copy")
		are(t, r.tasks(task, tried, task), "copy", "stored", "copy")
		r.wasAsked("a", "a")
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
		are(t, r.records(garbage, elsewhere, r.record(nameless), r.record(r.task("d"))), "unreadable", "unreadable", "unreadable", "stored")
		r.wasAsked("d")
		if n := r.counted("unreadable_total"); n != 3 {
			t.Errorf("%v records are counted as unreadable, expected 3", n)
		}
	})
}

// Two records of one place are of one webhook only where all that tells the life of a raw topic from another, and
// a replay from normal operation, is the same.
func TestWhatIsNoCopy(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		task := r.task("a")
		topic, offset, arrival, endpoint, partition := proto.CloneOf(task), proto.CloneOf(task), proto.CloneOf(task), proto.CloneOf(task), proto.CloneOf(task)
		topic.RawTopicId = []byte("another raw one!")
		offset.Raw.Offset++
		arrival.Envelope.ReceivedAt = timestamppb.New(task.Envelope.ReceivedAt.AsTime().Add(1))
		endpoint.Envelope.Endpoint = "other"
		partition.Raw.Partition = 1
		label, elsewhere := r.record(task), r.record(partition)
		label.Headers = []kgo.RecordHeader{{Key: "replay", Value: []byte("label")}}
		elsewhere.Partition = 1
		for _, one := range []*kgo.Record{r.record(topic), r.record(offset), r.record(arrival), r.record(endpoint), label, elsewhere} {
			if got := r.records(r.record(task), one); got[0].as == "copy" || got[1].as == "copy" {
				t.Errorf("record %d is taken for a copy", one.Offset)
			}
		}
	})
}

// Nobody is asked for a webhook that has its final disposition, nor while that is unknown.
func TestTasksThatAreDisposedOf(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		r.in.Disposed = func(tasks []normalize.Task) ([]bool, error) {
			if len(tasks) != 3 || tasks[2].Replay != "label" {
				t.Errorf("asked about %v, expected the three tasks and the label of the last", tasks)
			}
			return []bool{true, false, true}, nil
		}
		garbage, done, open, labelled := r.record(r.task("")), r.record(r.task("done")), r.record(r.task("open")), r.record(r.task("labelled"))
		garbage.Value = []byte("no task")
		labelled.Headers = []kgo.RecordHeader{{Key: "replay", Value: []byte("label")}}
		are(t, r.records(garbage, done, open, labelled), "unreadable", "disposed", "stored", "disposed")
		r.wasAsked("open")
		away := errors.New("away")
		r.in.Disposed = func([]normalize.Task) ([]bool, error) { return nil, away }
		if back, ok := r.batch(open).(normalize.GiveBack); !ok || !errors.Is(back.Cause, away) || back.Singly {
			t.Errorf("the source wants %+v, expected the batch given back", back)
		}
		r.wasAsked()
	})
}

// What moves on keeps its place and its label, and what is decided carries the label.
func TestLabelsAndPlacesAreKept(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		pending, ended := r.task("a"), answeredBy(r.task("b"), `{}`)
		pending.Raw.Partition, ended.Raw.Partition = 3, 3
		one, other := r.record(pending), r.record(ended)
		for _, polled := range []*kgo.Record{one, other} {
			polled.Partition, polled.Headers = 3, []kgo.RecordHeader{{Key: "replay", Value: []byte("label")}}
		}
		next := r.batch(one, other)
		got := []became{r.of(one), r.of(other)}
		are(t, got, "stored", "published")
		if out := got[0].record; out.Partition != 3 || string(out.Key) != "v/subject" || normalize.LabelOf(out.Headers) != "label" {
			t.Errorf("what moves on is %+v", out)
		}
		if read := next.(normalize.Process).Readings[0]; read.Replay != "label" || !read.Ordered {
			t.Errorf("the label of what is decided is %q, ordered = %v", read.Replay, read.Ordered)
		}
	})
}
