package normalize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// keeping is a Keeper that notes what it is told.
type keeping struct {
	told []string
	next Next
}

func (k *keeping) Begin() Poll { return Poll{Max: 1} }

func (k *keeping) Take(_ context.Context, _ Input, polled []*kgo.Record) (Next, error) {
	k.told = append(k.told, fmt.Sprint("take ", len(polled)))
	return k.next, nil
}

func (k *keeping) Lose(partitions []int32) {
	k.told = append(k.told, fmt.Sprint("lose ", partitions))
}
func (k *keeping) Undo() { k.told = append(k.told, "undo") }

// stays is a session with one record to poll whenever it is asked.
type stays struct {
	polls     func() // runs while it polls
	committed bool
	stay      map[int32]int64
}

func (s *stays) Poll(context.Context, int) ([]*kgo.Record, error) {
	if s.polls != nil {
		s.polls()
	}
	return []*kgo.Record{{Partition: 3}}, nil
}
func (s *stays) Commit(context.Context, []record.Outgoing) (bool, error) { return s.committed, nil }
func (s *stays) Rewind(context.Context) error                            { return nil }
func (s *stays) StayAt(at map[int32]int64)                               { s.stay = at }

// keeperWorker is a worker without a store over a Keeper and a session.
func keeperWorker(t *testing.T, k *keeping, s session) *worker {
	t.Helper()
	o := Options{Source: func(int) Source { return k }}.withDefaults()
	w := newWorker(o, 0)
	m, err := newMetrics(o.Metrics, prometheus.NewRegistry(), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.metrics, w.alone, w.slot = m, &sync.RWMutex{}, Slot{Session: s, Refused: func() error { return nil }}
	w.turns = make(chan struct{}, repairsAtOnce)
	w.session = t.Context()
	w.forgetAll()
	w.ledger = w.newLedger()
	return w
}

// A Keeper learns what goes and comes before it is given a record of it, and when the session goes back.
func TestAKeeperIsToldWhatItMustForget(t *testing.T) {
	forward := Process{
		Readings: []*Reading{{In: RawRecord{Partition: 3}, Outcome: &Skip{As: "kept"}}},
		Offsets:  map[int32]int64{3: 7},
	}
	for _, c := range []struct {
		name   string
		next   Next
		commit bool
		moves  bool // a partition comes while the slot polls
		want   []string
	}{
		{"committed", forward, true, false, []string{"lose [3]", "take 1"}},
		{"aborted", forward, false, false, []string{"lose [3]", "take 1", "undo"}},
		{"given back", GiveBack{}, true, false, []string{"lose [3]", "take 1", "undo"}},
		{"moved while it polled", forward, true, true, []string{"lose [3]", "undo"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := &keeping{next: c.next}
			s := &stays{committed: c.commit}
			w := keeperWorker(t, k, s)
			if c.moves {
				s.polls = func() { w.owned.assigned([]int32{4}) }
			}
			w.owned.assigned([]int32{3})
			if _, err := w.step(t.Context(), t.Context()); err != nil || !slices.Equal(k.told, c.want) {
				t.Errorf("it is told %q (%v), expected %q", k.told, err, c.want)
			}
			if _, ok := c.next.(Process); ok && !c.moves && s.stay[3] != 7 {
				t.Errorf("the group stays at %v, expected 7", s.stay)
			}
		})
	}
}

func (*stays) Hold([]int32)           {}
func (*stays) Release([]int32)        {}
func (*stays) Seek(int32, int64) bool { return true }

// bare is a session that cannot stay.
type bare struct{ session }

// A session that cannot stay would commit past what is kept.
func TestAKeeperNeedsASessionThatStays(t *testing.T) {
	k := &keeping{next: Process{Readings: []*Reading{{Outcome: &Skip{}}}, Offsets: map[int32]int64{3: 7}}}
	w := keeperWorker(t, k, bare{&stays{committed: true}})
	if _, err := w.step(t.Context(), t.Context()); !errors.Is(err, errStays) {
		t.Errorf("the step ended with %v, expected %v", err, errStays)
	}
}

// Without the store, what is read again is known from the dispositions in Kafka, which are read once for each time
// that a partition comes. Those of a delivery are known, though the clock that received it is two hours ahead of the
// one that decided.
func TestDispositionsAreRecalledWithoutTheStore(t *testing.T) {
	decided := time.Unix(10_000, 0)
	old := dedupe.Origin{TopicID: [16]byte{1}, Partition: 3, Offset: 5, Endpoint: "e", ReceivedAt: decided.Add(2 * time.Hour).UTC()}
	open, elsewhere := old, old
	open.Offset, elsewhere.Partition = 6, 4
	finished, err := contract.Marshal(&kycv1.Disposition{
		Raw: &kycv1.RawPosition{Partition: 3, Offset: 5}, RawTopicId: old.TopicID[:], Endpoint: "e", ReceivedAt: timestamppb.New(old.ReceivedAt),
		Claimed: &kycv1.RawPosition{Partition: 3, Offset: 9}, Stage: kycv1.Stage_STAGE_HYDRATE,
	})
	if err != nil {
		t.Fatal(err)
	}
	reads := map[int32]int{}
	w := keeperWorker(t, &keeping{}, &stays{})
	w.o.Stage = kycv1.Stage_STAGE_HYDRATE
	w.o.Log = historyOf(func(p int32, from record.ScanFrom, fn func(int64, []byte) error) error {
		if from.Time.After(decided) {
			return nil
		}
		if from.Time.IsZero() {
			reads[p]++
		}
		return fn(0, finished)
	})
	w.ledger = w.newLedger()
	for range 2 {
		done, err := w.recall(t.Context(), []dedupe.Origin{elsewhere, old, open})
		if err != nil || !slices.Equal(done, []bool{false, true, false}) {
			t.Errorf("disposed of: %v (%v), expected the second alone", done, err)
		}
	}
	w.forget(3)
	if _, err := w.recall(t.Context(), []dedupe.Origin{old, elsewhere}); err != nil || reads[3] != 2 || reads[4] != 1 {
		t.Errorf("dispositions were read %v times (%v), expected once for each time a partition came", reads, err)
	}
}

// historyOf is a Log that has nothing but a history.
type historyOf func(partition int32, from record.ScanFrom, fn func(int64, []byte) error) error

func (h historyOf) History(_ context.Context, p int32, from record.ScanFrom, fn func(int64, []byte) error) (int64, error) {
	return 0, h(p, from, fn)
}
func (historyOf) Bounds(context.Context, int32) (dedupe.Bounds, error) { return dedupe.Bounds{}, nil }
func (historyOf) Offsets(context.Context) (Offsets, error)             { return Offsets{}, nil }

// A task is about the record of the raw topic that it was made of, whatever topic has that name today.
func TestATaskKeepsTheIDOfItsRawTopic(t *testing.T) {
	was, today := [16]byte{1}, [16]byte{2}
	raw := newReading(RawRecord{TopicID: was, Partition: 3, Offset: 5}, 0)
	raw.Envelope = &kycv1.RawEnvelope{Endpoint: "e", ReceivedAt: timestamppb.New(time.Unix(100, 0))}
	raw.fetch()
	fetch, ok := raw.Outcome.(*Fetch)
	if !ok || [16]byte(fetch.Task.GetRawTopicId()) != was {
		t.Fatalf("the task is %+v, expected it to name the topic", raw.Outcome)
	}
	older := &kycv1.HydrateTask{Envelope: fetch.Task.Envelope, Raw: fetch.Task.Raw}
	w := keeperWorker(t, &keeping{}, &stays{})
	w.slot.RawTopicID = today
	w.o.Stage = kycv1.Stage_STAGE_HYDRATE
	w.o.FailOpenAfter, w.away, w.retry = 1, time.Now().Add(-time.Hour), time.Now().Add(time.Hour) // the store is not asked
	for _, c := range []struct {
		name string
		task *kycv1.HydrateTask
		want [16]byte
	}{{"of today", fetch.Task, was}, {"of an earlier release", older, today}} {
		read := taskReading(RawRecord{Partition: 3, Offset: 9}, today, c.task, 0)
		origin := read.Item(w.keys).Origin
		if read.Raw.TopicID != c.want || origin.TopicID != c.want || [16]byte(read.disposition(&dedupe.Verdict{}).GetRawTopicId()) != c.want {
			t.Errorf("a task %s is about topic %v, origin %v", c.name, read.Raw.TopicID, origin)
		}
		value, err := contract.Marshal(read.disposition(&dedupe.Verdict{}))
		if err != nil {
			t.Fatal(err)
		}
		w.o.Log = historyOf(func(_ int32, _ record.ScanFrom, fn func(int64, []byte) error) error { return fn(0, value) })
		w.forgetAll()
		w.ledger = w.newLedger()
		if done, err := w.disposed(t.Context(), []Task{{HydrateTask: c.task}}); err != nil || !done[0] {
			t.Errorf("a task %s is disposed of: %v (%v)", c.name, done, err)
		}
	}
}
