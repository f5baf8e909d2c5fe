package replay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// skipped sends deliveries that the normaliser never sees, as somebody moved its offsets past them.
func (w *world) skipped(all ...said) {
	w.T.Helper()
	w.send(0, said{Subject: "s", ID: "first"})
	w.normalised()
	w.send(0, all...)
	w.passedOver()
	if err := w.Reader.Commit(w.Ctx, normalize.DefaultGroup, schemas.Raw, map[int32]int64{0: int64(w.sent)}); err != nil {
		w.T.Fatal(err)
	}
	w.send(0, said{Subject: "s", ID: "last"})
	w.normalised()
}

// passedOver disposes of one more record, and so of none before it: as an earlier version left a partition where
// somebody had moved the group's offsets.
func (w *world) passedOver() {
	w.T.Helper()
	w.send(0, said{Subject: "s", ID: "first"})
	topic, id := schemas.DefaultPrefix+schemas.Raw, w.IDs[schemas.Raw]
	d := &kycv1.Disposition{
		Raw: &kycv1.RawPosition{Topic: topic, Offset: int64(w.sent) - 1}, RawTopicId: id[:], Stage: kycv1.Stage_STAGE_NORMALIZE,
		Kind: kycv1.DispositionKind_DISPOSITION_KIND_DUPLICATE, DuplicateOf: &kycv1.RawPosition{Topic: topic}, DecidedAt: timestamppb.Now(),
	}
	w.Write([]record.Outgoing{{Topic: schemas.DispositionTopic, Key: []byte("shop/s"), Value: normalizetest.Must(contract.Marshal(d))(w.T)}})
}

// told lists the events by what they say, with the replay's label and what the header dedupe says, sorted.
func (w *world) told() string {
	w.T.Helper()
	var all []string
	for _, r := range w.Read(schemas.Session) {
		e := &kycv1.SessionEvent{}
		w.decode(r, e)
		if id := e.GetVendorStatus(); id != "first/" && id != "last/" {
			all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", id, header(r, "replay"), header(r, "dedupe"))))
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// meddling is a writer before whose nth transaction something happens.
type meddling struct {
	*sink.Transactor
	before func(nth int) error // an error ends it there, or aborts it when errAborted
	after  func(nth int) error
	nth    *int
}

var errAborted = errors.New("aborted")

func (m meddling) AbortReason() error { return errAborted }

func (m meddling) Commit(ctx context.Context, out []record.Outgoing) (bool, error) {
	*m.nth++
	if m.before != nil {
		if err := m.before(*m.nth); errors.Is(err, errAborted) {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	ok, err := m.Transactor.Commit(ctx, out)
	if m.after != nil && err == nil {
		err = m.after(*m.nth)
	}
	return ok, err
}

func (w *world) meddling(before, after func(int) error) func(context.Context, string) (*replay.Writer, error) {
	nth := 0
	return func(ctx context.Context, id string) (*replay.Writer, error) {
		t, err := sink.OpenTransactor(ctx, w.Sink, id, 0)
		if err != nil {
			return nil, err
		}
		return replay.NewWriter(meddling{t, before, after, &nth}, t.Close), nil
	}
}

// killed is a replay that dies for good with errKilled.
func (w *world) killed(o replay.Options) {
	w.T.Helper()
	ctx, cancel := context.WithCancel(w.Ctx)
	defer cancel()
	o.Taken = func(err error) bool { // the process is gone: nobody tries again
		if errors.Is(err, errKilled) {
			cancel()
		}
		return errors.Is(err, sink.ErrFenced)
	}
	if _, err := replay.Run(ctx, o); !errors.Is(err, replay.ErrInterrupted) && !errors.Is(err, errKilled) {
		w.T.Fatalf("the replay ended with %v, want it killed", err)
	}
}

func kill(int) error { return errKilled }

// storeOf runs something after a round of claims.
type storeOf struct {
	*dedupe.Store
	claimed func() error
}

func (s storeOf) Exchange(ctx context.Context, r dedupe.Round) (dedupe.Reply, error) {
	reply, err := s.Store.Exchange(ctx, r)
	if err == nil && len(r.Claims) > 0 {
		err = s.claimed()
	}
	return reply, err
}

// TestKilledReplayLosesNoCopy: wherever a replay dies, a copy that comes afterwards is told, or what the replay told
// stands for it; and the replay that is run again finds nothing missing and tells nothing twice.
func TestKilledReplayLosesNoCopy(t *testing.T) {
	for _, c := range []struct {
		name string
		dies func(w *world, o *replay.Options)
		told string // after the copy came
		run  string // what the replay finds when it is run again
		anew string // after all was emitted again: what was flagged is flagged again
	}{
		{"after its claim", func(_ *world, o *replay.Options) {
			o.Claims = storeOf{o.Claims.(*dedupe.Store), func() error { return errKilled }}
		}, "b/  unconfirmed", "duplicate 1, no_gap 5, ", "b/  unconfirmed, b/ anew unconfirmed"},
		{"before its commit", func(w *world, o *replay.Options) { o.Open = w.meddling(kill, nil) }, "b/  unconfirmed", "duplicate 1, no_gap 5, ", "b/  unconfirmed, b/ anew unconfirmed"},
		// It may be told twice, and says so.
		{"after its commit", func(w *world, o *replay.Options) { o.Open = w.meddling(nil, kill) }, "b/  unconfirmed, b/ cut", "done_before 1, no_gap 5, ", "b/  unconfirmed, b/ anew, b/ anew unconfirmed, b/ cut"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 1)
			w.skipped(said{Subject: "s", ID: "b"})
			o := w.options("cut", replay.FillGaps)
			c.dies(w, &o)
			stop := w.normaliser() // it is up before: no repair makes up for what the replay did not do
			w.send(0, said{Subject: "s", ID: "last"})
			w.settle()
			w.killed(o)
			w.send(0, said{Subject: "s", ID: "b"})
			w.settle()
			expect(t, "after the copy", w.told(), c.told)
			expect(t, "again", counted(w.replay(w.options("cut", replay.FillGaps))), c.run)
			expect(t, "at the end", w.told(), c.told)
			w.send(0, said{Subject: "s", ID: "b"})
			w.settle()
			stop()
			expect(t, "one more copy", w.told(), c.told)
			if left := counted(w.replay(w.options("next", replay.FillGaps))); strings.Contains(left, "emitted") {
				t.Errorf("another replay finds a gap: %s", left)
			}
			w.replay(w.options("anew", replay.ReEmit))
			expect(t, "emitted again", w.told(), c.anew)
		})
	}
}

// TestAReplayThatClaimsAsLiveTrafficLoses: what the test above guards against can be seen.
func TestAReplayThatClaimsAsLiveTrafficLoses(t *testing.T) {
	w := newWorld(t, 1)
	w.skipped(said{Subject: "s", ID: "b"})
	o := w.options("cut", replay.FillGaps)
	o.Open = w.meddling(kill, nil)
	o.Kind = dedupe.Pending
	w.killed(o)
	w.send(0, said{Subject: "s", ID: "b"})
	w.normalised()
	expect(t, "after the copy", w.told(), "") // dropped as a duplicate of what nobody has told
}

// TestTakenOverByLiveTraffic: while a replay is under way, a copy takes its claim over and is told. The replay
// leaves that record and its own duplicates of it, and writes the others.
func TestTakenOverByLiveTraffic(t *testing.T) {
	for _, c := range []struct {
		name  string
		while func(w *world, o *replay.Options, live func())
	}{
		{"between claim and commit", func(_ *world, o *replay.Options, live func()) {
			o.Claims = storeOf{o.Claims.(*dedupe.Store), func() error { live(); return nil }}
		}},
		{"between two attempts to commit", func(w *world, o *replay.Options, live func()) {
			o.Open = w.meddling(func(nth int) error {
				if nth > 1 {
					return nil
				}
				live()
				return errAborted
			}, nil)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 1)
			w.skipped(said{Subject: "s", ID: "b"}, said{Subject: "s", ID: "b"}, said{Subject: "s", ID: "c"})
			o := w.options("slow", replay.FillGaps)
			o.Batch = 10
			c.while(w, &o, sync.OnceFunc(func() {
				w.send(0, said{Subject: "s", ID: "b"})
				w.normalised()
			}))
			expect(t, "counts", counted(w.replay(o)), "emitted 1, no_gap 3, taken_over 2, ")
			expect(t, "events", w.told(), "b/  unconfirmed, c/ slow")
			expect(t, "dispositions", fmt.Sprint(len(w.dispositions("slow"))), "1")
			expect(t, "again", counted(w.replay(w.options("slow", replay.FillGaps))), "duplicate 2, done_before 1, no_gap 4, ")
			expect(t, "events", w.told(), "b/  unconfirmed, c/ slow")
			expect(t, "marks missing", fmt.Sprint(w.unmarked("slow")), "[]")
		})
	}
}
