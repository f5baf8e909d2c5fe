package replay_test

import (
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/normalize/replay"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// outlived takes the raw records away, and returns the letters that are left of them.
func (w *world) outlived() (all []replay.Letter, ranges []replay.Range) {
	w.T.Helper()
	for _, r := range w.Read(schemas.DeadLetterTopic) {
		d := &kycv1.DeadLetter{}
		w.decode(r, d)
		at := d.GetRaw().GetOffset()
		all = append(all, replay.Letter{Offset: at, Key: r.Key, Envelope: d.GetEnvelope()})
		ranges = append(ranges, replay.Range{From: at, To: at})
	}
	if err := w.Cluster.DeleteRecords(schemas.DefaultPrefix+schemas.Raw, 0, int64(w.sent)); err != nil {
		w.T.Fatal(err)
	}
	return all, ranges
}

// fromLetters is a replay of what only dead letters hold.
func (w *world) fromLetters(id string, all []replay.Letter, ranges []replay.Range) *replay.Report {
	o := w.options(id, replay.FillGaps)
	o.Stretch = 2 // several
	o.Letters, o.Select = map[int32][]replay.Letter{0: all}, replay.Selection{Ranges: ranges, PoisonPills: true}
	return w.replay(o)
}

// TestLettersOutliveRawRecords: a gap is filled from the dead letter when the raw record is gone, once.
func TestLettersOutliveRawRecords(t *testing.T) {
	w := newWorld(t, 1)
	w.send(0, said{Subject: "s", ID: "a", Do: "new"}, said{Subject: "s", ID: "ok"}, said{Subject: "s", ID: "b", Do: "unreadable"}, said{Subject: "s", ID: "c", Do: "panic"})
	w.normalised()
	w.send(0, said{Subject: "s", ID: "late"})
	w.normalised()
	all, ranges := w.outlived()
	r := w.fromLetters("fill", append(all, all[0]), ranges)
	expect(t, "counts", counted(r), "emitted 2, still_dead 1, ")
	if r.Gone != 0 || r.Chosen != 3 {
		t.Errorf("%d chosen and %d gone, want 3 and none", r.Chosen, r.Gone)
	}
	expect(t, "events", w.said("fill"), "a/ b/")
	expect(t, "again", counted(w.fromLetters("fill", all, ranges)), "still_dead 1, done_before 2, ")
	expect(t, "another", counted(w.fromLetters("more", all, ranges)), "still_dead 1, no_gap 2, ")
	expect(t, "without letters", counted(w.fromLetters("none", nil, ranges)), "")
}

// TestALetterIsNoGapWhereItsCopyWasTold: the marks of what was told are gone as well, and the dispositions say it.
func TestALetterIsNoGapWhereItsCopyWasTold(t *testing.T) {
	w := newWorld(t, 1)
	w.send(0, said{Subject: "s", ID: "b", Do: "unreadable"}, said{Subject: "s", ID: "b", Do: "unreadable"})
	w.normalised()
	o := w.options("first", replay.FillGaps)
	o.Select = replay.Selection{Ranges: []replay.Range{{From: 0, To: 0}}}
	expect(t, "the first copy", counted(w.replay(o)), "emitted 1, ")
	for _, key := range w.Redis.Keys() {
		if !strings.HasPrefix(key, "kyc:d:s:") { // the watermarks stay, as they do when marks end
			w.Redis.Del(key)
		}
	}
	all, ranges := w.outlived()
	expect(t, "the second", counted(w.fromLetters("second", all, ranges)), "no_gap 2, ")
	expect(t, "events", w.said("first")+w.said("second"), "b/")
}

// TestALetterOfAnotherTopicIsNotBelieved: the raw topic was recreated, and another record was at that offset.
func TestALetterOfAnotherTopicIsNotBelieved(t *testing.T) {
	w := newWorld(t, 1)
	w.send(0, said{Subject: "s", ID: "a", Do: "new"}, said{Subject: "s", ID: "b", Do: "new"})
	w.normalised()
	all, ranges := w.outlived()
	all[0].Envelope, all[1].Envelope = all[1].Envelope, all[0].Envelope
	expect(t, "counts", counted(w.fromLetters("fill", all, ranges)), "no_gap 2, ")
}
