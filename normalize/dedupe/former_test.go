package dedupe

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
)

// The deployment moved to another cluster: what was published there drops copies here, whether Redis moved
// along or is made anew from the copied dispositions.
func TestFormerTopics(t *testing.T) {
	old := [16]byte{7}
	for _, c := range []struct {
		name  string
		redis bool // moved along
		same  bool // raw was copied with its offsets
	}{{"redis moved along", true, false}, {"redis is new", false, false}, {"raw moved along", false, true}} {
		b := newBench(t)
		at := func(i Item, n int64) Item {
			i.Endpoint, i.ReceivedAt = "e", time.Unix(n, 0)
			return i
		}
		before := b.bounded(100, func(o *LedgerOptions) { o.TopicID = old })
		b.repair(before, 0)
		if got := b.take(before, at(item(0, 40, 1, 1), 40), at(item(0, 41, 1, 2), 41), at(Item{Offset: 42}, 42)); got != "PPcP" {
			t.Fatal(got)
		}
		if err := before.Flush(b.ctx); err != nil {
			t.Fatal(err)
		}
		for i, value := range b.journal.parts[0] { // commit writes the other id
			d := new(brief).read(value)
			d.RawTopicId = old[:]
			b.journal.parts[0][i], _ = proto.Marshal(d)
		}
		if !c.redis {
			b.redis.FlushAll()
		}
		l := b.bounded(100, func(o *LedgerOptions) { o.Former = []Former{{old, c.same}} })
		b.repair(l, 0)
		want := int64(0)
		if c.same {
			want = 43
		}
		if got := l.Next(0); got != want {
			t.Errorf("%s: the partition begins at %d, expected %d", c.name, got, want)
		}
		// Keys are those of the new topic, beside what they would have been.
		moved := func(offset int64, id, text byte) Item {
			i := item(0, offset, 100+id, text)
			i.Former = []Key{{id}}
			return i
		}
		if c.same {
			if got := b.take(l, at(moved(40, 1, 1), 40), at(Item{Offset: 42}, 42)); got != "NN" {
				t.Errorf("%s: records processed before: %s, expected NN", c.name, got)
			}
		}
		verdicts, err := l.Claim(b.ctx, []Item{moved(50, 1, 1), moved(51, 1, 2), moved(52, 1, 3), moved(53, 2, 1), moved(54, 1, 1)})
		if err != nil || letters(verdicts) != "DDPcPD" {
			t.Fatalf("%s: %s, %v; expected DDPcPD", c.name, letters(verdicts), err)
		}
		if v := verdicts[0]; v.Former == nil || *v.Former != old || v.Owner.Offset != 40 || v.Key != (Key{1}) {
			t.Errorf("%s: a copy of a former record names %+v, expected offset 40 of the former topic under its key", c.name, v)
		}
		b.commit(l, []Item{moved(50, 1, 1), moved(51, 1, 2), moved(52, 1, 3), moved(53, 2, 1), moved(54, 1, 1)}, verdicts)
		if got := b.take(l, moved(60, 1, 3), moved(61, 2, 1), moved(62, 1, 2)); got != "DDD" {
			t.Errorf("%s: copies of all of them: %s, expected DDD", c.name, got)
		}
		late := b.late()
		late.o.Former = l.o.Former
		_, replayed := b.lateClaim(late, moved(45, 1, 1), moved(46, 1, 2), moved(47, 3, 1))
		if lateLetters(replayed) != "DDP" || replayed[1].Former == nil {
			t.Errorf("%s: a replay: %s, expected DDP", c.name, lateLetters(replayed))
		}
	}
}
