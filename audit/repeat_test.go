package audit_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// under gives a disposition a dedupe key of that byte.
func under(key byte) func(*kycv1.Disposition) {
	return func(d *kycv1.Disposition) { d.DedupeKey = bytes.Repeat([]byte{key}, 16) }
}

// inTopic says that what a disposition repeats is in another cluster's topic, whose id begins with that byte.
func inTopic(id byte) func(*kycv1.Disposition) {
	return func(d *kycv1.Disposition) { d.DuplicateOfTopicId = append([]byte{id}, make([]byte, 15)...) }
}

// passUnder takes a webhook through all of it, under a key.
func (w *world) passUnder(h webhook, key byte) record.Position {
	raw := w.receive(h)
	w.emit(h, raw)
	w.dispose(h, raw, emitted, event(h), under(key))
	return raw
}

// repeats are duplicates that stand alone in a healthy log.
var repeats = []struct {
	name  string
	plant func(w *world)
	want  string // a violation; "" where nothing is wrong
	other int64  // older ones, and mended ones
}{
	{"of a later record", func(w *world) {
		raw := w.receive(x)
		w.dispose(x, raw, duplicate, of(w.passUnder(y, 2)), under(1))
	}, "O4 0@7 dropped as a duplicate of raw record 0@8, which is not before it", 0},
	{"of a later record though it was let through under the same key", func(w *world) {
		raw := w.receive(x)
		later := w.passUnder(y, 1)
		w.dispose(x, raw, duplicate, of(later), under(1))
	}, "O4 0@7 dropped as a duplicate of raw record 0@8, which is not before it", 0},
	{"past the end", func(w *world) { w.dispose(x, w.receive(x), duplicate, of(record.Position{Offset: 99})) },
		"O4 0@7 dropped as a duplicate of raw record 0@99, which is not before it", 0},
	{"past the end of another partition", func(w *world) {
		w.dispose(x, w.receive(x), duplicate, of(record.Position{Partition: 1, Offset: 1}))
	}, "O4 0@7 dropped as a duplicate of raw record 1@1, which is past the end of the log", 0},
	{"of the last record of another partition", func(w *world) {
		w.dispose(x, w.receive(x), duplicate, of(record.Position{Partition: 1}))
	}, "", 1},
	{"of an earlier record that is another delivery", func(w *world) {
		w.passUnder(y, 2)
		w.dispose(x, w.receive(x), duplicate, of(record.Position{Offset: 7}), under(1))
	}, "O4 0@8 dropped as a duplicate of raw record 0@7, which was let through as another delivery", 0},
	{"of an earlier record under its key", func(w *world) {
		w.passUnder(y, 2)
		w.dispose(x, w.receive(x), duplicate, of(record.Position{Offset: 7}), under(2))
	}, "", 0},
	{"of an earlier record that a replay let through under another key", func(w *world) {
		first := w.receive(y)
		w.bury(y, first)
		w.dispose(y, first, dead, under(2))
		w.emit(y, first, flagged("replay=r1"))
		w.dispose(y, first, emitted, event(y), replayedBy("r1"), under(3))
		w.dispose(x, w.receive(x), duplicate, of(first), under(3))
	}, "", 0},
	{"of a record of another cluster's topic", func(w *world) {
		w.former = [][16]byte{{1}, {2}}
		w.dispose(x, w.receive(x), duplicate, of(record.Position{Offset: 99}), inTopic(3))
	}, "", 1},
	{"of a later record that was copied with its offset", func(w *world) {
		w.former = [][16]byte{{1}, {2}}
		w.dispose(x, w.receive(x), duplicate, of(w.passUnder(y, 1)), under(1), inTopic(2))
	}, "O4 0@7 dropped as a duplicate of raw record 0@8, which is not before it", 0},
	{"of an earlier record that was copied with its offset", func(w *world) {
		w.former = [][16]byte{{1}, {2}}
		first := w.passUnder(y, 1)
		w.dispose(x, w.receive(x), duplicate, of(first), under(1), inTopic(2))
	}, "", 0},
	{"a task of its own offset", func(w *world) {
		raw := w.receive(x)
		w.dispose(x, raw, hydrating)
		w.dispose(x, raw, duplicate, hydrated(9), of(record.Position{Offset: 9}))
	}, "O4 0@7 dropped as a duplicate of task 9 of the hydrate stage, which is not before it", 0},
	{"a task of another delivery", func(w *world) {
		first, second := w.receive(y), w.receive(x)
		w.dispose(y, first, hydrating)
		w.dispose(x, second, hydrating)
		w.emit(y, first, fetchedAt(noon.AddDate(0, 0, 1)))
		w.dispose(y, first, emitted, event(y), hydrated(8), under(2))
		w.dispose(x, second, duplicate, hydrated(9), of(record.Position{Offset: 8}), under(1))
	}, "O4 0@8 dropped as a duplicate of task 8 of the hydrate stage, which was let through as another delivery", 0},
	{"by a replay, of a later record", func(w *world) {
		raw := w.receive(x)
		w.bury(x, raw)
		w.dispose(x, raw, dead)
		w.dispose(x, raw, duplicate, of(w.passUnder(y, 1)), replayedBy("r1"), under(1))
	}, "", 0},
	{"by a replay, of a record that came while the check ran", func(w *world) {
		raw := w.receive(x)
		w.bury(x, raw)
		w.dispose(x, raw, dead)
		w.dispose(x, raw, duplicate, of(w.passUnder(y, 1)), replayedBy("r1"), under(1))
		w.spans[0] = audit.Span{Next: 8, Done: 8, End: 8}
	}, "", 1},
	{"by a replay, past the end", func(w *world) {
		raw := w.receive(x)
		w.bury(x, raw)
		w.dispose(x, raw, dead)
		w.dispose(x, raw, duplicate, of(record.Position{Offset: 99}), replayedBy("r1"))
	}, "O4 0@7 dropped as a duplicate of raw record 0@99, which is past the end of the log", 0},
	{"by a replay, of itself", func(w *world) {
		raw := w.receive(x)
		w.bury(x, raw)
		w.dispose(x, raw, dead)
		w.dispose(x, raw, duplicate, of(raw), replayedBy("r1"))
	}, "O4 0@7 dropped as a duplicate of raw record 0@7, which is not before it", 0},
	{"sent again when the marks were discarded", func(w *world) {
		w.dispose(x, w.receive(x), duplicate, of(record.Position{Offset: 99}), under(1))
		w.passUnder(x, 1)
	}, "", 1},
	{"told before, which mends nothing", func(w *world) {
		w.passUnder(y, 1)
		w.dispose(x, w.receive(x), duplicate, of(record.Position{Offset: 99}), under(1))
		w.passUnder(webhook{"w", "s1", 0}, 2)
	}, "O4 0@8 dropped as a duplicate of raw record 0@99, which is not before it", 0},
}

// TestVerifyFindsDuplicatesOfNothing: Kafka went back to a copy while Redis kept its marks, so deliveries that
// came again were dropped as duplicates of offsets that are of nobody now, or of another delivery.
func TestVerifyFindsDuplicatesOfNothing(t *testing.T) {
	for _, c := range repeats {
		t.Run(c.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, o audit.VerifyOptions) {
				w := healthy(t)
				c.plant(w)
				v := w.verify(o)
				if got := found(v); c.want == "" && got != "" || !strings.Contains(got, c.want) || v.Violations() > 1 {
					t.Errorf("found\n%swant %q", got, c.want)
				}
				if advised := strings.Contains(strings.Join(v.Notes, ""), "`kycbridge marks discard`"); advised != (c.want != "") {
					t.Errorf("the notes are %q", v.Notes)
				}
				if v.Older+v.Mended != c.other {
					t.Errorf("%d older and %d mended, want %d of both", v.Older, v.Mended, c.other)
				}
			})
		})
	}
}

// TestVerifyAcceptsAReEmittedTopic: a domain topic was made anew and filled by a replay.
func TestVerifyAcceptsAReEmittedTopic(t *testing.T) {
	eachWay(t, func(t *testing.T, o audit.VerifyOptions) {
		w := healthy(t)
		all := []webhook{x, y}
		var raws []record.Position
		for _, h := range all {
			raws = append(raws, w.pass(h))
			w.dispose(h, raws[len(raws)-1], emitted, event(h), replayedBy("r1"))
		}
		made := w.topics[schemas.Check][0]
		w.topics[schemas.Check][0] = made[:len(made)-2] // the first two labels of x and y are gone with it
		w.emit(x, raws[0], flagged("replay=r2"))
		w.dispose(x, raws[0], emitted, event(x), replayedBy("r2"))
		v := w.verify(o)
		if got := found(v); strings.Contains(got, eventOf(x)) || strings.Count(got, eventOf(y)) != 2 || v.Violations() != 2 {
			t.Errorf("found\n%swant only that y is in no topic, under its two labels", got)
		}
		if v.Republished != 2 {
			t.Errorf("%d republished, want those of x", v.Republished)
		}
	})
}
