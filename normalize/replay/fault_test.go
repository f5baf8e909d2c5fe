package replay_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

var errKilled = errors.New("killed")

// dying is a writer that fails at its nth transaction, before it or after it is committed.
type dying struct {
	*sink.Transactor
	left  *int
	after bool
}

func (d dying) Commit(ctx context.Context, out []record.Outgoing) (bool, error) {
	if *d.left--; *d.left != 0 {
		return d.Transactor.Commit(ctx, out)
	}
	if d.after {
		if ok, err := d.Transactor.Commit(ctx, out); err != nil || !ok {
			return ok, err
		}
	}
	return false, errKilled
}

func (w *world) dying(nth int, after bool) func(context.Context, string) (*replay.Writer, error) {
	return func(ctx context.Context, id string) (*replay.Writer, error) {
		t, err := sink.OpenTransactor(ctx, w.Sink, id, 0)
		if err != nil {
			return nil, err
		}
		return replay.NewWriter(dying{t, &nth, after}, t.Close), nil
	}
}

// many sends three partitions full of what a mapper does not know yet.
func (w *world) many() (want string) {
	w.T.Helper()
	for n := range 24 {
		w.send(int32(n%3), said{Subject: "s", ID: fmt.Sprintf("m%02d", n), Do: "new"})
		want += fmt.Sprintf("m%02d/ ", n)
	}
	w.normalised()
	return strings.TrimSpace(want)
}

// TestCutOffReplayGoesOn: killed before and after each commit, and run again with the same id, a replay
// writes everything once.
func TestCutOffReplayGoesOn(t *testing.T) {
	for _, after := range []bool{false, true} {
		w := newWorld(t, 3)
		want := w.many()
		for nth := 1; nth <= 9; nth++ {
			o := w.options("cut", replay.FillGaps)
			o.Stretch = 2 // many small ones instead of one
			ctx, cancel := context.WithCancel(w.Ctx)
			open := w.dying(nth, after)
			o.Open = func(ctx context.Context, id string) (*replay.Writer, error) {
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				return open(ctx, id)
			}
			o.Taken = func(err error) bool { // the process is gone: nobody tries again
				if errors.Is(err, errKilled) {
					cancel()
				}
				return errors.Is(err, sink.ErrFenced)
			}
			_, err := replay.Run(ctx, o)
			cancel()
			if err != nil && !errors.Is(err, replay.ErrInterrupted) {
				t.Fatal(err)
			}
		}
		report := w.replay(w.options("cut", replay.FillGaps))
		expect(t, "events", w.said("cut"), want)
		expect(t, "dispositions", fmt.Sprint(len(w.dispositions("cut"))), "24")
		if report.Chosen != 24 {
			t.Errorf("the last run counts %d records, want 24: %s", report.Chosen, counted(report))
		}
	}
}

// TestUnknownOutcomeIsLookedUp: a commit whose answer is lost is neither lost nor repeated, and the
// report counts it once.
func TestUnknownOutcomeIsLookedUp(t *testing.T) {
	for _, after := range []bool{false, true} {
		w := newWorld(t, 3)
		want := w.many()
		o := w.options("unknown", replay.FillGaps)
		o.Open = w.dying(2, after)
		report := w.replay(o)
		expect(t, "counts", counted(report), "emitted 24, ")
		expect(t, "events", w.said("unknown"), want)
		if report.Events != 24 {
			t.Errorf("%d events are reported, want 24", report.Events)
		}
	}
}

// TestInterruptedReplayLeavesWholeTransactions stops a replay after its first batch.
func TestInterruptedReplayLeavesWholeTransactions(t *testing.T) {
	w := newWorld(t, 3)
	want := w.many()
	o := w.options("stop", replay.FillGaps)
	ctx, cancel := context.WithCancel(w.Ctx)
	o.Progress = func(replay.Progress) { cancel() }
	report, err := replay.Run(ctx, o)
	if !errors.Is(err, replay.ErrInterrupted) {
		t.Fatalf("stopped with %v, want ErrInterrupted", err)
	}
	expect(t, "counts", counted(report), "emitted 3, ")
	expect(t, "dispositions", fmt.Sprint(len(w.dispositions("stop"))), "3")
	w.replay(w.options("stop", replay.FillGaps))
	expect(t, "events", w.said("stop"), want)
}

// TestSecondReplayEndsTheFirst: two replays of a partition do not interleave.
func TestSecondReplayEndsTheFirst(t *testing.T) {
	w := newWorld(t, 3)
	want := w.many()
	first := w.options("first", replay.FillGaps)
	begun := false
	first.Progress = func(replay.Progress) {
		if begun {
			return
		}
		begun = true
		w.replay(w.options("second", replay.FillGaps))
	}
	report, err := replay.Run(w.Ctx, first)
	if !errors.Is(err, replay.ErrTakenOver) {
		t.Fatalf("the first replay ended with %v, want ErrTakenOver", err)
	}
	expect(t, "first", counted(report), "emitted 3, ")
	all := strings.Fields(w.said("first") + " " + w.said("second"))
	if len(all) != 24 || len(strings.Fields(want)) != 24 {
		t.Errorf("%d events of both, want 24", len(all))
	}
}

// TestReplayDuringLiveTraffic: copies of what a replay fills come in while it runs; nothing without a
// label comes twice, and nothing is lost.
func TestReplayDuringLiveTraffic(t *testing.T) {
	w := newWorld(t, 3)
	want := w.many()
	stop := w.normaliser(fixed)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range 60 {
			w.send(int32(n%3), said{Subject: "s", ID: fmt.Sprintf("m%02d", n%24), Do: "new"}, said{Subject: "s", ID: fmt.Sprintf("live%02d", n)})
		}
	}()
	for n := range 4 {
		o := w.options(fmt.Sprint("live-", n), replay.FillGaps)
		w.replay(o)
		o = w.options(fmt.Sprint("again-", n), replay.ReEmit)
		w.replay(o)
	}
	<-done
	w.settle()
	stop()
	w.replay(w.options("rest", replay.FillGaps)) // copies of which nobody knew how their owner ends
	filled := map[string]int{}
	unlabelled := map[string]int{}
	for _, e := range w.events() {
		switch {
		case e.replay == "":
			unlabelled[e.text]++
		case !strings.HasPrefix(e.replay, "again-"):
			filled[e.text]++
		}
	}
	for text, n := range unlabelled {
		if n != 1 {
			t.Errorf("%s is there %d times without a label", text, n)
		}
	}
	for _, text := range strings.Fields(want) {
		if filled[text]+unlabelled[text] != 1 {
			t.Errorf("%s was filled %d times and published live %d times, want one of the two, once", text, filled[text], unlabelled[text])
		}
	}
	for n := range 60 {
		if text := fmt.Sprintf("live%02d/", n); unlabelled[text] != 1 {
			t.Errorf("%s is there %d times, want once", text, unlabelled[text])
		}
	}
}

// TestOnlyWhatTheNormaliserHasPassed: what lies at or behind its offset is the normaliser's.
func TestOnlyWhatTheNormaliserHasPassed(t *testing.T) {
	w := newWorld(t, 1)
	w.send(0, said{Subject: "s", ID: "a"})
	w.normalised()
	w.send(0, said{Subject: "s", ID: "b"})
	o := w.options("early", replay.FillGaps)
	o.Select.Ranges = []replay.Range{{0, 0, 1}}
	report := w.replay(o)
	expect(t, "counts", counted(report), "no_gap 1, ")
	if report.Later != 1 {
		t.Errorf("%d records are left to the normaliser, want 1", report.Later)
	}
	w.normalised()
	expect(t, "events", w.said(""), "a/ b/")
}

// TestSkippedRecordsAreGaps: records without a disposition before one that has its own, as an earlier version
// left them where somebody had moved the group's offsets.
func TestSkippedRecordsAreGaps(t *testing.T) {
	w := newWorld(t, 1)
	w.send(0, said{Subject: "s", ID: "a"})
	w.normalised()
	w.send(0, said{Subject: "s", ID: "b"}, said{Subject: "s", ID: "b"}, said{Subject: "s", ID: "a"})
	w.passedOver()
	if err := w.Reader.Commit(w.Ctx, normalize.DefaultGroup, schemas.Raw, map[int32]int64{0: 5}); err != nil {
		t.Fatal(err)
	}
	w.send(0, said{Subject: "s", ID: "c"})
	w.normalised()
	expect(t, "counts", counted(w.replay(w.options("skipped", replay.FillGaps))), "emitted 1, duplicate 2, no_gap 3, ")
	expect(t, "filled", w.said("skipped"), "b/")
	expect(t, "live", w.said(""), "a/ c/")
}

// TestFlushedRedisStopsGapFilling: without the marks nobody can say what is a copy.
func TestFlushedRedisStopsGapFilling(t *testing.T) {
	w := newWorld(t, 1)
	w.send(0, said{Subject: "s", ID: "a"}, said{Subject: "s", ID: "x", Do: "new"})
	w.normalised()
	w.Redis.FlushAll()
	o := w.options("flushed", replay.FillGaps)
	o.Wait = time.Millisecond
	if _, err := replay.Run(w.Ctx, o); !errors.Is(err, dedupe.ErrIncomplete) {
		t.Fatalf("ended with %v, want ErrIncomplete", err)
	}
	expect(t, "written", w.said("flushed"), "")
	stop := w.normaliser() // writes the marks
	defer stop()
	o.Wait = 30 * time.Second
	w.replay(o)
	expect(t, "written", w.said("flushed"), "x/")
}

// watermark is the key of the normaliser's, of a world with one partition.
func (w *world) watermark() string {
	return fmt.Sprintf("kyc:d:s:%s:%x:%x:0", normalize.DefaultGroup, w.IDs[schemas.Raw], w.IDs[schemas.DispositionTopic])
}

// TestMarksLeftBehindStopGapFilling: a normaliser died between its last commit and its marks.
func TestMarksLeftBehindStopGapFilling(t *testing.T) {
	w := newWorld(t, 1)
	w.send(0, said{Subject: "s", ID: "a"}, said{Subject: "s", ID: "x", Do: "new"})
	w.normalised()
	if err := w.Redis.Set(w.watermark(), "1:0:dead"); err != nil {
		t.Fatal(err)
	}
	o := w.options("behind", replay.FillGaps)
	o.Wait = time.Millisecond
	_, err := replay.Run(w.Ctx, o)
	if !errors.Is(err, dedupe.ErrIncomplete) || !strings.Contains(err.Error(), "raw partition 0") {
		t.Fatalf("ended with %v, want ErrIncomplete for partition 0", err)
	}
	expect(t, "written", w.said("behind"), "")
}

// TestMarksLeftBehindBeforeTheSelection: what is chosen came later than all that a mark is missing of.
func TestMarksLeftBehindBeforeTheSelection(t *testing.T) {
	w := newWorld(t, 1)
	w.send(0, said{Subject: "s", ID: "a"}, said{Subject: "s", ID: "b"})
	w.normalised()
	w.clock = time.Now().Add(time.Hour)
	w.send(0, said{Subject: "s", ID: "a"})
	if err := w.Reader.Commit(w.Ctx, normalize.DefaultGroup, schemas.Raw, map[int32]int64{0: 3}); err != nil {
		t.Fatal(err)
	}
	w.Redis.FlushAll()
	if err := w.Redis.Set(w.watermark(), "0:-1:dead"); err != nil {
		t.Fatal(err)
	}
	o := w.options("late", replay.FillGaps)
	o.Wait, o.Select.Ranges = time.Millisecond, []replay.Range{{From: 2, To: 2}}
	if _, err := replay.Run(w.Ctx, o); !errors.Is(err, dedupe.ErrIncomplete) {
		t.Fatalf("ended with %v, want ErrIncomplete", err)
	}
	expect(t, "written", w.said("late"), "")
}

// TestAClockAheadHidesNoDisposition: ingest's clock was two hours ahead, so raw records look younger than what was
// decided about them. Without an identity, nothing but the disposition says that they were published.
func TestAClockAheadHidesNoDisposition(t *testing.T) {
	w := newWorld(t, 1)
	w.clock = time.Now().Add(2 * time.Hour)
	w.send(0, said{Subject: "s", Text: "anonymous"}, said{Subject: "s", Text: "anonymous", Do: "new"})
	w.normalised()
	expect(t, "counts", counted(w.replay(w.options("fill", replay.FillGaps))), "emitted 1, no_gap 1, ")
	expect(t, "re-emit", counted(w.replay(w.options("again", replay.ReEmit))), "emitted 2, ")
}

// TestAClockAheadEndsNoTimeRange: a record whose clock was ahead does not end the range for those after it.
func TestAClockAheadEndsNoTimeRange(t *testing.T) {
	w := newWorld(t, 1)
	now := time.Now().Truncate(time.Second)
	w.clock = now.Add(30 * time.Minute)
	w.send(0, said{Subject: "s", ID: "ahead"})
	w.clock = now
	w.send(0, said{Subject: "s", ID: "right"})
	w.normalised()
	o := w.options("hour", replay.ReEmit)
	o.Select.Until = now.Add(time.Minute)
	expect(t, "counts", counted(w.replay(o)), "emitted 1, ")
	expect(t, "events", w.said("hour"), "right/")
}

// TestRefusals: what cannot be replayed is said before anything is asked.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		o    replay.Options
		want string
	}{
		{replay.Options{ID: "r"}, `a replay needs a mode: "re-emit" publishes again what was published, with the same event ids; "fill-gaps" publishes only what never was`},
		{replay.Options{ID: "r", Mode: "both"}, "a replay needs a mode"},
		{replay.Options{Mode: replay.ReEmit}, `"" is not a replay id`},
		{replay.Options{Mode: replay.ReEmit, ID: "a b"}, `"a b" is not a replay id: expected 1 to 64 of`},
		{replay.Options{Mode: replay.FillGaps, ID: "r"}, "filling gaps needs Redis"},
		{replay.Options{Mode: replay.ReEmit, ID: "r", Select: replay.Selection{Since: time.Unix(9, 0), Until: time.Unix(9, 0)}}, "the time range is empty"},
	} {
		_, err := replay.Run(t.Context(), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o.Mode, err, c.want)
		}
	}
}

func TestParseRange(t *testing.T) {
	for text, want := range map[string]replay.Range{"3@100-200": {3, 100, 200}, "3@100-": {3, 100, -1}, "3@100": {3, 100, 100}, "3": {3, 0, -1}, "0@0": {0, 0, 0}} {
		got, err := replay.ParseRange(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s is read as %+v, %v, and written as %s; want %+v", text, got, err, got, want)
		}
	}
	for _, text := range []string{"", "@", "x", "-1", "3@", "3@-", "3@-5", "3@5-4", "3@1-2-3", "3@x", "99999999999@1"} {
		if got, err := replay.ParseRange(text); err == nil || !strings.Contains(err.Error(), "3@100-200") {
			t.Errorf("%q is read as %+v, %v; want an error that shows a range", text, got, err)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, text := range []string{"3@100-200", "3@100-", "3@100", "3"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := replay.ParseRange(text)
		if err != nil {
			return
		}
		if again, err := replay.ParseRange(r.String()); err != nil || again != r {
			t.Errorf("%q is read as %+v, whose text %q is read as %+v, %v", text, r, r, again, err)
		}
	})
}
