package normalize_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// trap kills its process at one step of the loop, once.
type trap struct {
	at      string
	sprung  atomic.Bool
	process *process
	ready   chan struct{} // process is set
	down    chan struct{} // closed when it is dead
}

func (t *trap) spring(at string) error {
	if at != t.at || !t.sprung.CompareAndSwap(false, true) {
		return nil
	}
	<-t.ready
	t.process.line.Cut()
	close(t.down)
	return normalizetest.ErrKilled
}

// trapped is a session and a store that die at the steps named here.
type trapped struct {
	*sink.Session
	trap *trap
}

func (s trapped) Commit(ctx context.Context, out []record.Outgoing) (bool, error) {
	if err := s.trap.spring("after the claims, before the transaction"); err != nil {
		return false, err
	}
	ok, err := s.Session.Commit(ctx, out)
	if ok {
		if err := s.trap.spring("after the commit, before anybody knows"); err != nil {
			return false, err
		}
	}
	return ok, err
}

type trappedStore struct {
	*dedupe.Store
	trap *trap
}

func (s trappedStore) Exchange(ctx context.Context, r dedupe.Round) (dedupe.Reply, error) {
	if len(r.Claims) > 0 {
		if err := s.trap.spring("before the claims"); err != nil {
			return dedupe.Reply{}, err
		}
	}
	if len(r.Marks) > 0 {
		if err := s.trap.spring("after the commit, before the marks"); err != nil {
			return dedupe.Reply{}, err
		}
	}
	if len(r.Moves) > 0 && r.Moves[0].From[0] == "" {
		if err := s.trap.spring("before the repair"); err != nil {
			return dedupe.Reply{}, err
		}
	}
	reply, err := s.Store.Exchange(ctx, r)
	if len(r.Moves) > 0 && r.Moves[0].From[0] == "" {
		if err := s.trap.spring("in the repair"); err != nil {
			return dedupe.Reply{}, err
		}
	}
	if len(r.Marks) > 0 {
		if err := s.trap.spring("after the marks"); err != nil {
			return dedupe.Reply{}, err
		}
	}
	return reply, err
}

func TestCrashAtEveryStepLosesAndDoublesNothing(t *testing.T) {
	crashAtEveryStep(t, 0, func(o *normalize.Options) { o.Batch = 3 })
}

// The same where batches are split by what their records become, which takes several polls for each.
func TestCrashAtEveryStepOfSplitBatches(t *testing.T) {
	crashAtEveryStep(t, 1, func(o *normalize.Options) { o.Bounds = normalize.Bounds{Events: 3, Poll: 1} })
}

func crashAtEveryStep(t *testing.T, pollBytes int, change func(*normalize.Options)) {
	for _, at := range []string{
		"before the repair", "in the repair", "before the claims", "after the claims, before the transaction",
		"after the commit, before anybody knows", "after the commit, before the marks", "after the marks",
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2)
			w.pollBytes = pollBytes
			trap := &trap{at: at, ready: make(chan struct{}), down: make(chan struct{})}
			trap.process = w.start(0, func(o *normalize.Options) {
				o.Claims = trappedStore{o.Claims.(*dedupe.Store), trap}
				change(o)
				o.Sessions = normalizetest.Wrap(o.Sessions, func(slot *normalize.Slot) {
					slot.Session = trapped{slot.Session.(*sink.Session), trap}
				})
			})
			close(trap.ready)
			var want []string
			for n := range 10 {
				s := said{Subject: fmt.Sprint(n % 3), ID: fmt.Sprint(n), Text: "x"}
				w.send(int32(n%2), s, s)
				want = append(want, fmt.Sprintf("%d/x", n))
			}
			select {
			case <-trap.down:
			case <-w.Ctx.Done():
				t.Fatal("the step was never reached")
			}
			for n := range 10 { // a third copy arrives while nobody is there
				w.send(int32(n%2), said{Subject: fmt.Sprint(n % 3), ID: fmt.Sprint(n), Text: "x"})
			}
			w.start(1)
			w.settle()
			w.expectEvents(want...)
			w.audit()
			trap.process.kill()
		})
	}
}

func TestFlushedRedisIsRepairedBeforeAnythingIsClaimed(t *testing.T) {
	w := newWorld(t, 2)
	var all []said
	var want []string
	for n := range 40 {
		all = append(all, said{Subject: "s", ID: fmt.Sprint(n), Text: "x"})
		want = append(want, fmt.Sprintf("%d/x", n))
	}
	w.send(0, all...)
	p := w.start(0, func(o *normalize.Options) { o.Batch = 7 })
	w.settle()
	w.Redis.FlushAll()
	w.send(0, all...)
	w.settle()
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	w.Redis.FlushAll()
	w.send(0, all[:5]...)
	w.start(0)
	w.settle()
	w.expectEvents(want...)
	w.audit()
}

func TestOffsetsResetToStartChangeNothing(t *testing.T) {
	w := newWorld(t, 2)
	for n := range 30 {
		s := said{Subject: "s", ID: fmt.Sprint(n / 2), Text: fmt.Sprint(n % 3)} // copies and conflicts
		if n%7 == 0 {
			s.ID = "" // a record that claims nothing must not be published again either
		}
		w.send(0, s, said{Subject: "s", ID: fmt.Sprint(n), Do: "panic"})
	}
	w.sendBytes(0, []byte("shop/x"), []byte("\xff"))
	p := w.start(0, func(o *normalize.Options) { o.Batch = 4 })
	w.settle()
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	before, events := len(w.dispositions()), w.events()
	for _, redis := range []string{"with its marks", "without any"} {
		if redis == "without any" {
			w.Redis.FlushAll()
		}
		if err := w.Reader.Commit(w.Ctx, normalize.DefaultGroup, schemas.Raw, map[int32]int64{0: 0, 1: 0}); err != nil {
			t.Fatal(err)
		}
		p := w.start(0, func(o *normalize.Options) { o.Batch = 4 })
		w.settle()
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if n := len(w.dispositions()); n != before {
			t.Errorf("redis %s: %d dispositions after the reset, %d before", redis, n, before)
		}
		if got := w.events(); !slices.Equal(got, events) {
			t.Errorf("redis %s: events changed from %s to %s", redis, brief(events), brief(got))
		}
	}
	w.audit()
}

func TestRedisAwayHoldsRecordsBackAndSaysSo(t *testing.T) {
	w := newWorld(t, 1)
	p := w.start(0, func(o *normalize.Options) { o.Health = o.Claims.(*dedupe.Store) })
	w.send(0, said{Subject: "s", ID: "1", Text: "x"})
	w.settle()
	w.Redis.SetError("LOADING the data set")
	w.send(0, said{Subject: "s", ID: "2", Text: "x"})
	w.Await("the normaliser is not ready", func() bool { return p.n.Ready() != nil })
	if err := p.n.Ready(); !strings.Contains(err.Error(), "redis is unavailable") {
		t.Errorf("not ready because of %q, expected that it names redis", err)
	}
	w.expectEvents("1/x")
	w.Redis.SetError("")
	w.settle()
	w.Await("the normaliser is ready again", func() bool { return p.n.Ready() == nil })
	w.expectEvents("1/x", "2/x")
	w.audit()
}

func TestFailOpenFlagsEventsAndFillsMarksInLater(t *testing.T) {
	w := newWorld(t, 1)
	p := w.start(0, func(o *normalize.Options) {
		o.Health, o.FailOpenAfter = o.Claims.(*dedupe.Store), time.Second // both copies of b are there by then
	})
	a := said{Subject: "s", ID: "1", Text: "x"}
	w.send(0, a)
	w.settle()
	w.Redis.SetError("LOADING the data set")
	b := said{Subject: "s", ID: "2", Text: "x"}
	w.send(0, b, b)
	w.settle()
	w.expectEvents("1/x", "2/x")
	for _, e := range normalizetest.Decode(t, w.Read(schemas.Session), func() *kycv1.SessionEvent { return &kycv1.SessionEvent{} }) {
		if flagged := slices.Contains(e.GetMetadata().GetFlags(), "dedupe=unverified"); flagged != (e.GetVendorStatus() == "2/x") {
			t.Errorf("event %s has flags %v; only what was published without redis is unverified", e.GetVendorStatus(), e.GetMetadata().GetFlags())
		}
	}
	w.Redis.SetError("")
	w.Await("the normaliser is ready again", func() bool { return p.n.Ready() == nil })
	w.send(0, a, b)
	w.settle()
	w.expectEvents("1/x", "2/x")
	w.audit()
}

var errRule = errors.New("a rule cannot be evaluated")

// brokenRules fails for one message as a rule that cannot be evaluated does.
type brokenRules struct{ contract.Rules }

func (b brokenRules) Validate(m proto.Message) error {
	if _, ok := m.(*kycv1.SessionEvent); ok {
		return errRule
	}
	return b.Rules.Validate(m)
}

func TestBrokenRuleStopsInsteadOfBuryingEverything(t *testing.T) {
	w := newWorld(t, 1)
	w.send(0, said{Subject: "s", ID: "1"}, said{Subject: "s", ID: "2"})
	o := w.options(0, w.Undertaker.Line())
	o.Validator = brokenRules{o.Validator}
	n := normalizetest.Must(normalize.New(o))(t)
	err := n.Run(w.Ctx)
	if !errors.Is(err, errRule) {
		t.Errorf("Run ended with %v, expected the broken rule", err)
	}
	if n := len(w.dispositions()); n != 0 {
		t.Errorf("%d dispositions were written, expected none", n)
	}
}

func TestSecondProcessWithTheSameInstanceStopsTheFirst(t *testing.T) {
	w := newWorld(t, 2)
	first := w.start(7)
	w.send(0, said{Subject: "s", ID: "0", Text: "x"})
	w.settle()
	second := w.start(7)
	w.Await("the second is ready", func() bool { return second.n.Ready() == nil })
	ended := make(chan error, 1)
	go func() { ended <- first.wait() }()
	want := []string{"0/x"}
	for n := 1; ; n++ {
		w.send(int32(n%2), said{Subject: "s", ID: fmt.Sprint(n), Text: "x"})
		want = append(want, fmt.Sprintf("%d/x", n))
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), "--instance 7") || !strings.Contains(err.Error(), "kycbridge-normalize-7-0") {
				t.Errorf("the first ended with %v, expected that it names the instance and the transactional id", err)
			}
			w.settle()
			w.expectEvents(want...)
			w.audit()
			return
		case <-time.After(20 * time.Millisecond):
		}
		if w.Ctx.Err() != nil {
			t.Fatal("the first process was never fenced")
		}
	}
}

// A process that stood still (SIGSTOP, a paused machine) is fenced too; it must come back.
func TestOwnStallReopensTheSession(t *testing.T) {
	w := newWorld(t, 1)
	fence := &atomic.Bool{}
	fence.Store(true)
	p := w.start(0, func(o *normalize.Options) {
		o.Sessions = normalizetest.Wrap(o.Sessions, func(slot *normalize.Slot) {
			slot.Session = fenced{slot.Session.(*sink.Session), fence}
		})
	})
	w.send(0, said{Subject: "s", ID: "1", Text: "x"})
	w.settle()
	w.expectEvents("1/x")
	if err := p.stop(); err != nil {
		t.Errorf("the process ended with %v, expected that it went on", err)
	}
}

type fenced struct {
	*sink.Session
	once *atomic.Bool
}

func (f fenced) Commit(ctx context.Context, out []record.Outgoing) (bool, error) {
	if f.once.CompareAndSwap(true, false) {
		return false, fmt.Errorf("end: %w", sink.ErrFenced)
	}
	return f.Session.Commit(ctx, out)
}

// A topic that takes nothing holds its partition up: no record is passed over, readiness says so,
// and Kafka is not asked hundreds of times a second.
func TestTopicThatTakesNothingHoldsTheBatchBack(t *testing.T) {
	w := newWorld(t, 1)
	fault := w.Cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Topic: w.Sink.Topic(schemas.DeadLetterTopic), Err: kerr.TopicAuthorizationFailed, Count: -1,
	})
	w.send(0, said{Subject: "s", ID: "1", Text: "x"}, said{Subject: "s", ID: "bad", Do: "mismatch"}, said{Subject: "s", ID: "2", Text: "x"})
	p := w.start(0)
	w.Await("the normaliser is not ready", func() bool { return errors.Is(p.n.Ready(), normalize.ErrRefused) })
	where := "topic kyc.raw.v1, partition(s) [0]: kafka refuses the transaction: writing to topic kyc.deadletter.v1 partition 0: "
	if err := p.n.Ready(); err == nil || !strings.Contains(err.Error(), where) {
		t.Errorf("not ready because of %v, expected %q", err, where)
	}
	w.expectEvents()
	fault.Remove()
	w.settle()
	w.Await("the normaliser is ready again", func() bool { return p.n.Ready() == nil })
	w.expectEvents("1/x", "2/x")
	w.audit()
}

// A copy that comes when the marks' life is over is an event once more, and says that it is old: never
// dropped in silence.
func TestACopyAfterTheMarksLifeIsTold(t *testing.T) {
	w := newWorld(t, 1)
	p := w.start(0)
	old := said{Subject: "s", ID: "1", Text: "x", AgeDays: 3}
	w.send(0, old, old)
	w.settle()
	w.expectEvents("1/x")
	_ = p.stop()                       // writes the marks
	w.Redis.FastForward(2 * time.Hour) // they live for one
	w.start(0)
	w.send(0, old)
	w.settle()
	w.expectEvents("1/x", "1/x")
	w.audit()
	for _, e := range normalizetest.Decode(t, w.Read(schemas.Session), func() *kycv1.SessionEvent { return &kycv1.SessionEvent{} }) {
		if !slices.Contains(e.GetMetadata().GetFlags(), "stale=true") {
			t.Errorf("flags %v, want stale=true", e.GetMetadata().GetFlags())
		}
	}
}

// Partitions were added to the raw topic alone: what lies there waits, loudly, until the other topics have
// theirs.
func TestNewRawPartitionsWaitForTheOtherTopics(t *testing.T) {
	w := newWorld(t, 1)
	admin := kadm.NewClient(w.Client)
	grow := func(bases ...string) {
		t.Helper()
		for _, base := range bases {
			answer, err := admin.UpdatePartitions(w.Ctx, 2, w.Sink.Topic(base))
			if err == nil {
				err = answer.Error()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	grow(schemas.Raw)
	r := &kgo.Record{Topic: w.Sink.Topic(schemas.Raw), Partition: 1, Key: []byte("k"), Value: rawValue(t, said{Subject: "s", ID: "1", Text: "x"})}
	w.Await("the new partition takes records", func() bool {
		w.Client.ForceMetadataRefresh()
		return w.Client.ProduceSync(w.Ctx, r).FirstErr() == nil
	})
	p := w.start(0)
	var says error
	w.Await("the normaliser names the partition", func() bool {
		says = p.n.Ready()
		return says != nil && strings.Contains(says.Error(), "partition 1")
	})
	t.Log(says)
	w.expectEvents()
	_ = p.stop()
	for _, topic := range schemas.Topics() {
		if topic.Base != schemas.Raw {
			grow(topic.Base)
		}
	}
	w.start(0)
	w.settle()
	w.expectEvents("1/x")
	w.audit()
}

// A foreign producer wrote a batch that unpacks to more than the limit: it gets a dead letter, and what is
// behind it flows.
func TestBatchThatCannotBeReadBecomesADeadLetter(t *testing.T) {
	w := newWorld(t, 1)
	w.start(0)
	w.send(0, said{Subject: "s", ID: "1", Text: "x"})
	foreign := normalizetest.Must(kgo.NewClient(kgo.SeedBrokers(w.Sink.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(100<<20), kgo.MaxBufferedBytes(200<<20), kgo.ProducerBatchCompression(kgo.GzipCompression())))(t)
	defer foreign.Close()
	bomb := &kgo.Record{Topic: w.Sink.Topic(schemas.Raw), Key: []byte("bomb"), Value: make([]byte, 65<<20)}
	if err := foreign.ProduceSync(w.Ctx, bomb).FirstErr(); err != nil {
		t.Fatal(err)
	}
	w.send(0, said{Subject: "s", ID: "2", Text: "x"})
	w.settle()
	w.expectEvents("1/x", "2/x")
	w.audit()
	letters := normalizetest.Decode(t, w.Read(schemas.DeadLetterTopic), func() *kycv1.DeadLetter { return &kycv1.DeadLetter{} })
	if len(letters) != 1 || letters[0].GetReason() != kycv1.DeadLetterReason_DEAD_LETTER_REASON_MALFORMED {
		t.Errorf("dead letters %v, want one that is malformed", letters)
	}
}
