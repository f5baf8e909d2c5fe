package dedupe

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/record"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// chronicle is a journal that can be read by time, and counts how often it is read to its end.
type chronicle struct {
	*journal
	whole int
}

func (c *chronicle) read(ctx context.Context, p int32, from record.ScanFrom, fn func(int64, []byte) error) (int64, error) {
	if !from.Time.IsZero() {
		all := c.parts[p]
		at, _ := slices.BinarySearchFunc(all, from.Time, func(value []byte, t time.Time) int {
			return new(brief).read(value).GetDecidedAt().AsTime().Compare(t)
		})
		from.Offset = max(from.Offset, int64(at))
	}
	next, err := c.journal.read(ctx, p, from, fn)
	if err == nil {
		c.whole++
	}
	return next, err
}

func (c *chronicle) recall() *Recall {
	return NewLedger(nil, LedgerOptions{
		Stage: kycv1.Stage_STAGE_HYDRATE, History: c.read,
		Bounds: func(_ context.Context, p int32) (Bounds, error) {
			return Bounds{Dispositions: Extent{End: int64(len(c.parts[p]))}}, nil
		},
	}).Recall(0)
}

// normalised notes that the normaliser handed a raw record on.
func (c *chronicle) normalised(o Origin, at time.Time) {
	c.append(0, &kycv1.Disposition{
		Raw: &kycv1.RawPosition{Offset: o.Offset}, RawTopicId: o.TopicID[:], Stage: kycv1.Stage_STAGE_NORMALIZE,
		Kind: kycv1.DispositionKind_DISPOSITION_KIND_HYDRATING, Endpoint: o.Endpoint, ReceivedAt: timestamppb.New(o.ReceivedAt), DecidedAt: timestamppb.New(at),
	})
}

// claimed notes that a task of it was disposed of by a stage.
func (c *chronicle) claimed(stage kycv1.Stage, o Origin, at time.Time) {
	c.append(0, &kycv1.Disposition{
		Raw: &kycv1.RawPosition{Offset: o.Offset}, RawTopicId: o.TopicID[:], Claimed: &kycv1.RawPosition{Offset: 7}, Stage: stage,
		Endpoint: o.Endpoint, ReceivedAt: timestamppb.New(o.ReceivedAt), DecidedAt: timestamppb.New(at), ReplayId: o.Replay,
	})
}

func (c *chronicle) finished(o Origin, at time.Time) {
	c.claimed(kycv1.Stage_STAGE_HYDRATE, o, at)
}

// What is done with is known by its raw offset, whatever clocks say, and by all else that tells it apart.
func TestRecall(t *testing.T) {
	noon := time.Unix(1700000000, 0)
	of := func(offset int64, change func(*Origin)) Origin {
		o := origin(offset)
		o.ReceivedAt = noon
		if change != nil {
			change(&o)
		}
		return o
	}
	c := &chronicle{journal: &journal{parts: map[int32][][]byte{}}}
	for i := range int64(5000) {
		c.normalised(of(i, nil), noon)
		c.finished(of(i, nil), noon)
	}
	ahead, waits, other, late := of(5000, nil), of(5001, nil), of(5000, nil), of(5002, nil)
	ahead.ReceivedAt = noon.Add(2 * time.Hour) // the clock that received it
	other.TopicID = [16]byte{9}
	c.normalised(other, noon)
	labelled := of(6800, func(o *Origin) { o.Replay = "r" })
	c.finished(labelled, noon.Add(time.Second)) // the replay is ahead of the normaliser
	for i := range int64(1500) {
		o := of(5000+i, nil)
		if i == 0 {
			o = ahead
		}
		c.normalised(o, noon.Add(time.Minute))
	}
	c.finished(late, noon.Add(time.Minute))
	c.finished(ahead, noon.Add(time.Minute))
	c.claimed(kycv1.Stage_STAGE_REPLAY, of(5003, nil), noon.Add(time.Minute))
	for i := range int64(3000) { // what waited longest
		c.finished(of(i, nil), noon.Add(time.Minute))
	}
	for i := range int64(4500) { // the raw topic is made anew
		c.normalised(of(i, func(o *Origin) { o.TopicID = [16]byte{7} }), noon.Add(time.Hour))
	}
	c.append(0, &kycv1.Disposition{})
	c.parts[0] = append(c.parts[0], []byte("no disposition"))
	for _, tt := range []struct {
		name string
		of   Origin
		want bool
	}{
		{"received by a clock two hours ahead", ahead, true},
		{"disposed of before one that came earlier", late, true},
		{"long ago", of(17, nil), true},
		{"by a replay ahead of the normaliser", labelled, true},
		{"still waiting", waits, false},
		{"disposed of by a replay alone", of(5003, nil), false},
		{"of another topic", other, false},
		{"of a topic without dispositions", of(1, func(o *Origin) { o.TopicID = [16]byte{8} }), false},
		{"of another endpoint", of(5002, func(o *Origin) { o.Endpoint = "shelf" }), false},
		{"received at another time", of(5000, nil), false},
		{"of a replay, and the record's own is done", of(5002, func(o *Origin) { o.Replay = "r" }), false},
		{"its own, and a replay's is done", of(6800, nil), false},
	} {
		r := c.recall()
		r.behind = 0
		if done, err := r.Disposed(t.Context(), []Origin{tt.of}); err != nil || done[0] != tt.want {
			t.Errorf("%s: disposed of %v (%v), expected %v", tt.name, done, err, tt.want)
		}
	}
}

// However many dispositions there are, no more are kept than the limit says; those of other raw offsets are read when
// they are asked for.
func TestRecallIsBounded(t *testing.T) {
	const all, most = 3000, 100
	c := &chronicle{journal: &journal{parts: map[int32][][]byte{}}}
	for i := range int64(all) {
		c.normalised(origin(i), time.Unix(1700000000+i, 0))
	}
	for i := int64(all - 1); i >= 0; i-- { // the last is done first, and every third waits
		if i%3 != 0 {
			c.finished(origin(i), time.Unix(1700000000+all, 0))
			c.finished(origin(i), time.Unix(1700000000+all, 0)) // published twice while Redis was away
		}
	}
	c.normalised(origin(all), time.Unix(1700000000+all, 0))
	r := c.recall()
	r.most, r.behind = most, 10
	ask := func(offsets ...int64) {
		t.Helper()
		var origins []Origin
		for _, o := range offsets {
			origins = append(origins, origin(o))
		}
		done, err := r.Disposed(t.Context(), origins)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range offsets {
			if done[i] != (o%3 != 0) {
				t.Errorf("raw offset %d is disposed of: %v", o, done[i])
			}
		}
		for topic, kept := range r.topics {
			if len(kept.done) > most || cap(kept.done) > 2*most {
				t.Errorf("topic %v: %d dispositions are kept in the place of %d, expected %d at most", topic, len(kept.done), cap(kept.done), most)
			}
		}
	}
	for i := int64(0); i < all; i += 10 {
		ask(i+9, i, i+5)
	}
	if least := all * 2 / 3 / most; c.whole > 3*least {
		t.Errorf("the topic was read %d times, expected about %d", c.whole, least)
	}
	c.whole = 0
	ask(2000, 1980) // a little out of order
	ask(1990)
	if c.whole != 1 {
		t.Errorf("the topic was read %d times, expected once for the neighbourhood of a task", c.whole)
	}
	ask(1000, all-1, all+6)
	if len(r.topics) != 1 {
		t.Errorf("%d raw topics are remembered, expected the one", len(r.topics))
	}
	r = c.recall()
	r.most, r.behind = most/2, most
	ask(2000)
}

// A Recall that could not read says where, and reads when it is asked again.
func TestRecallThatCannotRead(t *testing.T) {
	c := &chronicle{journal: &journal{parts: map[int32][][]byte{}}}
	c.normalised(origin(1), time.Unix(1, 0))
	c.finished(origin(1), time.Unix(1, 0))
	r := c.recall()
	fails := 0
	r.o.History = func(ctx context.Context, p int32, from record.ScanFrom, fn func(int64, []byte) error) (int64, error) {
		if fails++; fails <= 2 {
			return 0, fmt.Errorf("read %d failed", fails)
		}
		return c.read(ctx, p, from, fn)
	}
	for range 2 {
		if _, err := r.Disposed(t.Context(), []Origin{origin(1)}); err == nil || err.Error() != fmt.Sprintf("dispositions of raw partition 0: read %d failed", fails) {
			t.Errorf("%v, expected what failed, and the partition", err)
		}
	}
	if done, err := r.Disposed(t.Context(), []Origin{origin(1)}); err != nil || !done[0] {
		t.Errorf("disposed of: %v (%v)", done, err)
	}
}
