package replay_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/dedupe"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// hydrated plays the hydrate stage: it stores an answer for each waiting task but the last, and
// publishes what the vendor knows with the mapper given.
func (w *world) hydrated(mapper providers.Provider) {
	w.T.Helper()
	reads := normalize.NewInterpreter([]providers.Provider{mapper}, normalizetest.Validator(w.T), normalize.InterpreterOptions{})
	ledger := dedupe.NewLedger(w.Store(), dedupe.LedgerOptions{
		Group: "kycbridge-hydrate", Stage: kycv1.Stage_STAGE_HYDRATE, TopicID: w.IDs[schemas.Hydrate], DispositionID: w.IDs[schemas.DispositionTopic], TTL: time.Hour,
		History: normalizetest.Log{Reader: w.Reader}.History,
	})
	if _, err := ledger.Repair(w.Ctx, 0); err != nil {
		w.T.Fatal(err)
	}
	tasks := w.Read(schemas.Hydrate)
	for n, r := range tasks[:len(tasks)-1] {
		task := &kycv1.HydrateTask{}
		w.decode(r, task)
		task.FetchResult, task.FetchedKind, task.Fetched = kycv1.FetchResult_FETCH_RESULT_FETCHED, "object", fmt.Appendf(nil, "{%d}", n)
		task.FetchedAt, task.Attempt = timestamppb.Now(), 1
		stored := []record.Outgoing{{Topic: schemas.Hydrate, Value: normalizetest.Must(contract.Marshal(task))(w.T), Key: r.Key, Partition: 0}}
		w.Write(stored)
		in := normalize.RawRecord{Topic: r.Topic, TopicID: w.IDs[schemas.Hydrate], Offset: stored[0].Offset, Time: r.Timestamp, Key: r.Key}
		reading := normalizetest.Must(reads.InterpretTask(in, w.IDs[schemas.Raw], task))(w.T)
		items := []dedupe.Item{reading.Item(dedupe.NewKeyer(nil))}
		verdicts := normalizetest.Must(ledger.Claim(w.Ctx, items))(w.T)
		out := normalizetest.Records(w.T, reading, verdicts[0], time.Now())
		w.Write(out)
		ledger.Settle(items, verdicts, []int64{out[len(out)-1].Offset})
	}
	if err := ledger.Flush(w.Ctx); err != nil {
		w.T.Fatal(err)
	}
}

// TestStoredObjectsAreUsedAgain: what the vendor's API said is read again and nobody is asked; what is
// still with the hydrate stage is left to it, and what was never asked for is handed to it.
func TestStoredObjectsAreUsedAgain(t *testing.T) {
	w := newWorld(t, 1)
	w.send(0, said{Subject: "s", ID: "a", Thin: true}, said{Subject: "s", ID: "b", Thin: true, Do: "late"},
		said{Subject: "s", ID: "c", Thin: true}, said{Subject: "s", ID: "d", Thin: true, Do: "new"})
	hydrates := func(o *normalize.Options) {
		v := vendor(false)
		v.Maps["late"] = v.Maps[""] // the normaliser's version knows it
		o.Providers, o.Hydrates = []providers.Provider{v}, func(string) bool { return true }
	}
	w.normalised(hydrates)
	w.hydrated(vendor(false)) // the hydrate stage's does not
	expect(t, "live", w.said(""), "a/+{0}")

	hydrating := func(o replay.Options) replay.Options {
		v := vendor(true)
		v.Maps["late"] = v.Maps[""]
		o.Providers, o.Hydrates = []providers.Provider{v}, func(string) bool { return true }
		return o
	}
	fill := hydrating(w.options("fill", replay.FillGaps))
	counts := counted(w.replay(fill))
	expect(t, "fill", counts, "emitted 1, asked 1, no_gap 1, with_hydrate 1, ")
	expect(t, "filled", w.said("fill"), "b/+{1}")
	again := hydrating(w.options("again", replay.ReEmit))
	expect(t, "re-emit", counted(w.replay(again)), "emitted 2, with_hydrate 2, ")
	expect(t, "re-emitted", w.said("again"), "a/+{0} b/+{1}")
	for _, label := range []string{"fill", "again"} {
		for _, d := range w.dispositions(label) {
			if d.GetKind() == kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING {
				continue
			}
			if d.GetClaimed().GetTopic() != schemas.DefaultPrefix+schemas.Hydrate || [16]byte(d.GetClaimedTopicId()) != w.IDs[schemas.Hydrate] {
				t.Errorf("replay %s claims %v, want the task's record", label, d.GetClaimed())
			}
		}
	}
	expect(t, "tasks", fmt.Sprint(len(w.Read(schemas.Hydrate))), "6")
}

// TestUnhydratedEventsStayUnhydrated: an API that was configured since changes nothing of what was said.
func TestUnhydratedEventsStayUnhydrated(t *testing.T) {
	w := newWorld(t, 1)
	w.send(0, said{Subject: "s", ID: "a", Thin: true})
	w.normalised()
	o := w.options("again", replay.ReEmit)
	o.Hydrates = func(string) bool { return true }
	expect(t, "re-emit", counted(w.replay(o)), "emitted 1, ")
	expect(t, "events", w.said("again"), "a/")
}

// TestFlagsAreSaidAgain: a conflict stays one; metadata and headers say the same.
func TestFlagsAreSaidAgain(t *testing.T) {
	w := newWorld(t, 1)
	w.send(0, said{Subject: "s", ID: "a"}, said{Subject: "s", ID: "a", Text: "else"})
	w.normalised()
	w.replay(w.options("again", replay.ReEmit))
	flags := map[string]string{}
	for _, r := range w.Read(schemas.Session) {
		e := &kycv1.SessionEvent{}
		w.decode(r, e)
		flags[e.GetVendorStatus()+header(r, "replay")] = fmt.Sprint(header(r, "dedupe"), e.GetMetadata().GetFlags())
	}
	for at, want := range map[string]string{"a/": "[]", "a/else": "conflict[dedupe=conflict]", "a/again": "[replay=again]", "a/elseagain": "conflict[dedupe=conflict replay=again]"} {
		expect(t, at, flags[at], want)
	}
}

// TestNewReasonIsANewLetter: a letter whose reason changed is written, labelled; an unchanged one is not.
func TestNewReasonIsANewLetter(t *testing.T) {
	w := newWorld(t, 1)
	w.send(0, said{Subject: "s", ID: "a", Do: "unreadable"}, said{Subject: "s", ID: "b", Do: "unreadable"})
	w.normalised()
	o := w.options("other", replay.FillGaps)
	half := vendor(true)
	delete(half.Maps, "unreadable") // it can be read now, and is not mapped
	o.Providers = []providers.Provider{half}
	expect(t, "counts", counted(w.replay(o)), "dead_lettered 2, ")
	letters := w.Read(schemas.DeadLetterTopic)
	labelled := 0
	for _, r := range letters {
		if header(r, "replay") == "other" {
			labelled++
		}
	}
	expect(t, "letters", fmt.Sprint(len(letters), labelled), "4 2")
	o.ID = "same"
	expect(t, "counts", counted(w.replay(o)), "still_dead 2, ")
	expect(t, "letters", fmt.Sprint(len(w.Read(schemas.DeadLetterTopic))), "4")
	o.ID, o.Providers = "fix", []providers.Provider{vendor(true)}
	expect(t, "counts", counted(w.replay(o)), "emitted 2, ")
	expect(t, "events", w.said("fix"), "a/ b/")
}

// TestLeftAloneTakesNoClaim: a record that stays a dead letter must not keep copies away in Redis.
func TestLeftAloneTakesNoClaim(t *testing.T) {
	w := newWorld(t, 1)
	w.send(0, said{Subject: "s", ID: "a", Do: "unreadable"}) // without an identity, so far
	w.normalised()
	before := w.Redis.Dump()
	o := w.options("left", replay.FillGaps)
	half := vendor(true)
	half.Maps["unreadable"] = func(*providers.Delivery, *providers.Notice) (providers.Mapping, error) {
		return providers.Mapping{}, &providers.Problem{Detail: "still not understood", Err: providers.ErrMalformed}
	}
	o.Providers = []providers.Provider{half}
	expect(t, "counts", counted(w.replay(o)), "still_dead 1, ")
	if after := w.Redis.Dump(); after != before {
		t.Errorf("Redis holds\n%s\nwant what it held before\n%s", after, before)
	}
}

// TestTimeRange goes by the time of the raw records.
func TestTimeRange(t *testing.T) {
	w := newWorld(t, 1)
	w.clock = time.Now().Add(-3 * time.Hour).Truncate(time.Hour)
	first := w.clock
	for _, id := range []string{"a", "b", "c"} {
		w.send(0, said{Subject: "s", ID: id})
		w.clock = w.clock.Add(time.Hour)
	}
	w.normalised()
	o := w.options("hour", replay.ReEmit)
	o.Select = replay.Selection{Since: first.Add(time.Hour), Until: first.Add(2 * time.Hour)}
	expect(t, "counts", counted(w.replay(o)), "emitted 1, ")
	expect(t, "events", w.said("hour"), "b/")
	o = w.options("never", replay.ReEmit)
	o.Select = replay.Selection{Until: first.Add(-time.Hour)}
	expect(t, "before", counted(w.replay(o)), "")
	o.Select = replay.Selection{IDs: []string{"a", "nobody"}}
	if r := w.replay(o); len(r.Unknown) != 1 || r.Unknown[0] != "nobody" {
		t.Errorf("unknown ids are %v, want nobody", r.Unknown)
	}
}
