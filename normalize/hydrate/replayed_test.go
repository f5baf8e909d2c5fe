package hydrate_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/hydrate"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	"github.com/kycbridge/kycbridge/sink"
)

// fills is a replay of this world that fills all gaps; change alters it.
func (w *world) fills(id string, change ...func(*replay.Options)) *replay.Report {
	w.T.Helper()
	n, _, err := w.Reader.Partitions(w.Ctx, schemas.Raw)
	if err != nil {
		w.T.Fatal(err)
	}
	committed := func(group string) func(context.Context, string) (map[int32]int64, error) {
		return func(ctx context.Context, base string) (map[int32]int64, error) {
			return w.Reader.Committed(ctx, group, base)
		}
	}
	o := replay.Options{
		ID: id, Mode: replay.FillGaps, Claims: w.Store(), NormalizeGroup: normalize.DefaultGroup, HydrateGroup: hydrate.DefaultGroup, Wait: 5 * time.Second,
		Providers: []providers.Provider{shy(), thin()}, Validator: normalizetest.Validator(w.T), Hydrates: func(endpoint string) bool { return endpoint == thinName },
		Topics: replay.Topics{
			Partitions: int32(n), RawName: schemas.DefaultPrefix + schemas.Raw, RawID: w.IDs[schemas.Raw], HydrateID: w.IDs[schemas.Hydrate], DispositionID: w.IDs[schemas.DispositionTopic],
			Starts: func(ctx context.Context) (map[int32]int64, error) { return w.Reader.Starts(ctx, schemas.Raw) },
			Committed: func(ctx context.Context) (map[int32]int64, error) {
				return committed(normalize.DefaultGroup)(ctx, schemas.Raw)
			},
			Waiting: committed(hydrate.DefaultGroup),
			Scan: func(ctx context.Context, base string, p int32, from record.ScanFrom, fn func(normalize.RawRecord) error) error {
				_, err := w.Reader.Scan(ctx, base, p, from, func(r *kgo.Record) error {
					return fn(normalize.RecordOf(r, [16]byte{}))
				})
				return err
			},
		},
		Open: func(ctx context.Context, id string) (*replay.Writer, error) {
			t, err := sink.OpenTransactor(ctx, w.Sink, id, 0)
			if err != nil {
				return nil, err
			}
			return replay.NewWriter(t, t.Close), nil
		},
	}
	for _, f := range change {
		f(&o)
	}
	report, err := replay.Run(w.Ctx, o)
	if err != nil {
		w.T.Fatal(err)
	}
	return report
}

// counts wants these outcomes and no others.
func (w *world) counts(r *replay.Report, want map[replay.Outcome]int64) {
	w.T.Helper()
	sum := int64(0)
	for outcome, n := range want {
		if sum += n; r.Of(outcome) != n {
			w.T.Errorf("the replay %s says %v, want %v", r.ID, r.Counts, want)
			return
		}
	}
	if r.Chosen != sum {
		w.T.Errorf("the replay %s says %v, want %v", r.ID, r.Counts, want)
	}
}

// labels counts what a replay labels: events, final dispositions of the hydrate stage.
func (w *world) labels(id string) (events, finals int) {
	w.T.Helper()
	for _, r := range w.Read(schemas.Session) {
		for _, h := range r.Headers {
			if h.Key == "replay" && string(h.Value) == id {
				events++
			}
		}
	}
	for _, d := range w.dispositions() {
		if d.GetReplayId() == id && d.GetStage() == kycv1.Stage_STAGE_HYDRATE {
			finals++
		}
	}
	return events, finals
}

// unmoved reads everything again, with Redis as it is and empty: nothing may come of it.
func (w *world) unmoved() {
	w.T.Helper()
	for _, flush := range []bool{false, true} {
		told := w.told()
		if flush {
			w.Redis.FlushAll()
		}
		w.reset(schemas.Hydrate, schemas.HydrateWait)
		p := w.start(0, smallBatches)
		w.drain()
		normalizetest.Must(0, p.stop())(w.T)
		if got := w.told(); got != told {
			w.T.Errorf("offsets reset, Redis empty %v: told\n%s, before\n%s", flush, got, told)
		}
	}
}

func tired(o *hydrate.Options) { o.GiveUpAfter = time.Nanosecond }

// An API did not answer for as long as patience lasts. When it does again, a replay hands the dead letter to
// the stage once more; what comes of it is labelled, and told once.
func TestWhatTheAPINeverAnsweredIsAskedForByAReplay(t *testing.T) {
	w := newWorld(t, 1)
	w.apis[shyName].answer("/first/o", code(http.StatusInternalServerError))
	w.apis[shyName].set("/first/fine", "fine", "done", 1)
	p := w.start(0, tired)
	w.send(0, said{shyName, "fine", ""}, said{shyName, "o", ""})
	w.settle()
	w.expect("fine/done/fetched")
	w.audit()
	w.counts(w.fills("rehearsed", func(o *replay.Options) { o.DryRun = true }), map[replay.Outcome]int64{replay.NoGap: 1, replay.Asked: 1})
	asked := w.apis[shyName].times("/first/o")
	w.counts(w.fills("too-early"), map[replay.Outcome]int64{replay.NoGap: 1, replay.Asked: 1})
	w.Await("the stage gives up again", func() bool { _, finals := w.labels("too-early"); return finals == 1 })
	if n, more := len(w.deadLetters()), w.apis[shyName].times("/first/o")-asked; n != 2 || more != 1 {
		t.Errorf("%d dead letters, and the API was asked %d times more; want 2, and once", n, more)
	}
	w.apis[shyName].set("/first/o", "o", "done", 1)
	w.counts(w.fills("mended"), map[replay.Outcome]int64{replay.NoGap: 1, replay.Asked: 1})
	w.Await("the event is told", func() bool { return len(w.texts()) == 2 })
	w.expect("fine/done/fetched", "o/done/fetched")
	if events, finals := w.labels("mended"); events != 1 || finals != 1 {
		t.Errorf("%d events and %d dispositions carry the label, want one of each", events, finals)
	}
	w.counts(w.fills("mended"), map[replay.Outcome]int64{replay.NoGap: 1, replay.Before: 1})
	w.counts(w.fills("more"), map[replay.Outcome]int64{replay.NoGap: 2})
	w.drain()
	normalizetest.Must(0, p.stop())(t)
	w.unmoved()
}

// Two copies of a delivery were dead letters of the normaliser, which could not tell that they are copies. By the
// mapping of today they need the vendor's API, once.
func TestAGapThatNeedsTheAPIIsHandedOver(t *testing.T) {
	w := newWorld(t, 1)
	blind := thin()
	blind.Parse = func(*providers.Delivery) (*providers.Notice, error) {
		return nil, &providers.Problem{Detail: "not understood yet", Err: providers.ErrMalformed}
	}
	older := w.stage(9, w.Undertaker.Line(), normalize.DefaultGroup, schemas.Raw)
	older.Providers = []providers.Provider{shy(), blind}
	ctx, cancel := context.WithCancel(w.Ctx)
	ended := make(chan error, 1)
	n := normalizetest.Must(normalize.New(older))(t)
	go func() { ended <- n.Run(ctx) }()
	w.send(0, said{thinName, "s", "e"}, said{thinName, "s", "e"})
	w.settle()
	cancel()
	normalizetest.Must(0, <-ended)(t)
	w.apis[thinName].set("/live/sessions/s", "s", "approved", 1)
	p := w.start(0)
	w.counts(w.fills("mapped"), map[replay.Outcome]int64{replay.Asked: 1, replay.Duplicate: 1})
	w.Await("the event is told", func() bool { return len(w.texts()) == 1 })
	w.send(0, said{thinName, "s", "e"})
	w.Await("a later copy is disposed of", func() bool { return w.finals()[[2]int64{0, 2}] == 1 })
	w.counts(w.fills("mapped-again"), map[replay.Outcome]int64{replay.NoGap: 3})
	w.expect("s.e/approved/fetched")
	if events, finals := w.labels("mapped"); events != 1 || finals != 1 {
		t.Errorf("%d events and %d dispositions carry the label, want one of each", events, finals)
	}
	w.drain()
	normalizetest.Must(0, p.stop())(t)
	w.unmoved()
}

// lose moves the hydrate stage past all of its tasks. No process may run.
func (w *world) lose() {
	w.T.Helper()
	for _, base := range []string{schemas.Hydrate, schemas.HydrateWait} {
		end := normalizetest.Must(w.Reader.Ends(w.Ctx, base))(w.T)
		w.Await("the group takes offsets", func() bool {
			w.Undertaker.Bury(w.Ctx, hydrate.DefaultGroup)
			return w.Reader.Commit(w.Ctx, hydrate.DefaultGroup, base, end) == nil
		})
	}
}

// The task that a replay wrote is lost, too. The next one writes it under the first one's label, since it is
// the same: both are told once.
func TestALostTaskOfAReplayIsWrittenAgain(t *testing.T) {
	w := newWorld(t, 1)
	w.apis[shyName].answer("/first/o", code(http.StatusInternalServerError))
	p := w.start(0, tired)
	w.send(0, said{shyName, "o", ""})
	w.settle()
	w.drain()
	normalizetest.Must(0, p.stop())(t)
	w.counts(w.fills("first"), map[replay.Outcome]int64{replay.Asked: 1})
	w.lose()
	w.counts(w.fills("second"), map[replay.Outcome]int64{replay.Asked: 1})
	w.counts(w.fills("third"), map[replay.Outcome]int64{replay.WithHydrate: 1})
	w.apis[shyName].always(everChanging())
	w.apis[shyName].answer("/first/o", everChanging())
	p = w.start(0, smallBatches)
	w.Await("the event is told", func() bool { return len(w.texts()) == 1 })
	w.drain()
	normalizetest.Must(0, p.stop())(t)
	if events, finals := w.labels("first"); events != 1 || finals != 1 {
		t.Errorf("%d events and %d dispositions carry the first label, want one of each", events, finals)
	}
	w.unmoved()
}

// Retention, or somebody, took tasks that were not done. A replay writes them again, unlabelled, since their
// events were never told; should they turn up again, they are copies.
func TestALostTaskIsWrittenAgain(t *testing.T) {
	w := inFlight(t, 1)
	w.lose()
	w.counts(w.fills("lost"), map[replay.Outcome]int64{replay.NoGap: 3, replay.Asked: 3})
	w.counts(w.fills("lost"), map[replay.Outcome]int64{replay.NoGap: 3, replay.Before: 3})
	w.counts(w.fills("not-lost"), map[replay.Outcome]int64{replay.NoGap: 3, replay.WithHydrate: 3})
	w.recover()
	p := w.start(0, smallBatches)
	w.concluded()
	if events, finals := w.labels("lost"); events+finals != 0 {
		t.Errorf("%d events and %d dispositions carry a label, want none", events, finals)
	}
	normalizetest.Must(0, p.stop())(t)
	w.unmoved()
}

// Whatever a replay takes for lost, the stage tells once: here it takes what is under way for that.
func TestATaskThatIsNotLostIsToldOnce(t *testing.T) {
	for _, before := range []bool{true, false} {
		t.Run(fmt.Sprint("answers come before ", before), func(t *testing.T) {
			w := inFlight(t, 1)
			if before {
				w.recover()
			}
			p := w.start(0, smallBatches)
			w.fills("mistaken", func(o *replay.Options) {
				o.Topics.Waiting = func(ctx context.Context, base string) (map[int32]int64, error) { return w.Reader.Ends(ctx, base) }
			})
			w.recover()
			w.concluded()
			normalizetest.Must(0, p.stop())(t)
			w.unmoved()
		})
	}
}
