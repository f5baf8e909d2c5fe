package sink

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

func openWriter(t *testing.T, o Options) *writer {
	t.Helper()
	w, err := newWriter(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	return w
}

func TestWriteReturnsAfterTheAcknowledgement(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		out := []record.Outgoing{disposition(1, 0), disposition(1, 1), disposition(0, 0)}
		if err := openWriter(t, o).Write(testContext(t), out); err != nil {
			t.Fatal(err)
		}
		if out[0].Offset != 0 || out[1].Offset != 1 || out[2].Offset != 0 {
			t.Errorf("offsets %d %d %d, want 0 1 0", out[0].Offset, out[1].Offset, out[2].Offset)
		}
		r := openReader(t, o)
		ends, err := r.Ends(testContext(t), schemas.DispositionTopic)
		if want := map[int32]int64{0: 1, 1: 2}; err != nil || !maps.Equal(ends, want) {
			t.Errorf("ends %v, %v, want %v", ends, err, want)
		}
	})
}

func TestBounds(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		appendRaw(t, o, 3)
		s := openSession(t, o, slot())
		records := pollSome(t, s)
		p := records[0].Partition
		if err := openWriter(t, o).Write(testContext(t), []record.Outgoing{disposition(p, 0), disposition(p, 1), disposition(p, 2)}); err != nil {
			t.Fatal(err)
		}
		leaveOpen(t, s, []record.Outgoing{disposition(p, 0), disposition(p, 1)})
		r := openReader(t, o)
		base, err := r.Ends(testContext(t), schemas.Raw)
		if err != nil {
			t.Fatal(err)
		}
		for topic, before := range map[string]int64{schemas.Raw: 1, schemas.DispositionTopic: 2} {
			cut := kadm.Offsets{}
			cut.AddOffset(o.Topic(topic), p, before, -1)
			if _, err := r.admin.DeleteRecords(testContext(t), cut); err != nil {
				t.Fatal(err)
			}
		}
		want := record.Bounds{Raw: record.Extent{Start: 1, End: base[p]}, Dispositions: record.Extent{Start: 2, End: 5}, Stable: 3}
		if b, err := r.Bounds(testContext(t), p); err != nil || b != want {
			t.Errorf("%+v (%v), expected %+v", b, err, want)
		}
		if b, err := r.Bounds(testContext(t), 17); err == nil || !strings.Contains(err.Error(), "has no partition 17: it has 2") || b != (record.Bounds{}) {
			t.Errorf("of a partition that is not there: %+v, %v", b, err)
		}
	})
}

// The bounds of both topics are three questions, and what fails says whose they are.
func TestBoundsAskLittle(t *testing.T) {
	cluster, o := fake(t)
	r := openReader(t, o)
	asked := make(chan int8, 9)
	cluster.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		asked <- req.(*kmsg.ListOffsetsRequest).IsolationLevel
		return nil, nil, false
	})
	if _, err := r.Bounds(testContext(t), 0); err != nil {
		t.Fatal(err)
	}
	var levels []int8
	for range len(asked) {
		levels = append(levels, <-asked)
	}
	if !slices.Equal(levels, []int8{0, 0, 1}) {
		t.Errorf("requests with isolation %v, expected one for starts, ends and stable ends each", levels)
	}
	if _, err := r.admin.DeleteTopics(testContext(t), o.Topic(schemas.DispositionTopic)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Bounds(testContext(t), 0); !errors.Is(err, kerr.UnknownTopicOrPartition) || !strings.Contains(err.Error(), o.Topic(schemas.DispositionTopic)) {
		t.Errorf("without dispositions: %v, expected the topic's name", err)
	}
}

func TestCommitOfAnEmptyGroup(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		r := openReader(t, o)
		if at, err := r.Committed(testContext(t), "g", schemas.Raw); err != nil || len(at) != 0 {
			t.Fatalf("before: %v, %v", at, err)
		}
		want := map[int32]int64{0: 0, 1: 7}
		if err := r.Commit(testContext(t), "g", schemas.Raw, want); err != nil {
			t.Fatal(err)
		}
		if at, err := r.Committed(testContext(t), "g", schemas.Raw); err != nil || !maps.Equal(at, want) {
			t.Errorf("after: %v, %v, want %v", at, err, want)
		}
	})
}

func TestFollowShowsCommittedRecordsOnly(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		w := openWriter(t, o)
		if err := w.Write(testContext(t), []record.Outgoing{sessionEvent("before")}); err != nil {
			t.Fatal(err)
		}
		bases := []string{schemas.Session, schemas.DispositionTopic}
		late, err := OpenFollower(testContext(t), o, bases, false)
		if err != nil {
			t.Fatal(err)
		}
		defer late.Close()
		early, err := OpenFollower(testContext(t), o, bases, true)
		if err != nil {
			t.Fatal(err)
		}
		defer early.Close()
		transaction(t, o, "aborted", 1, &abort)
		if err := w.Write(testContext(t), []record.Outgoing{disposition(0, 5)}); err != nil {
			t.Fatal(err)
		}
		if got := follow(t, late, 1); got[0].Topic != o.Topic(schemas.DispositionTopic) || string(got[0].Key) != "shop/x" {
			t.Errorf("from the end: %s %q", got[0].Topic, got[0].Key)
		}
		keys := map[string]bool{}
		for _, r := range follow(t, early, 2) {
			keys[string(r.Key)] = true
		}
		if want := map[string]bool{"shop/before": true, "shop/x": true}; !maps.Equal(keys, want) {
			t.Errorf("from the start: %v, want %v", keys, want)
		}
	})
}

// follow polls until n records have come.
func follow(t *testing.T, f *Follower, n int) []*kgo.Record {
	t.Helper()
	var got []*kgo.Record
	for ctx := testContext(t); len(got) < n; {
		records, err := f.Poll(ctx, 100)
		if err != nil || ctx.Err() != nil {
			t.Fatalf("after %d records: %v, %v", len(got), err, ctx.Err())
		}
		got = append(got, records...)
	}
	return got
}

func TestFollowEndsWithItsContext(t *testing.T) {
	_, o := fake(t)
	f, err := OpenFollower(testContext(t), o, []string{schemas.Session}, false)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if records, err := f.Poll(ended, 1); len(records) != 0 || err != nil {
		t.Errorf("ended context: %v, %v", records, err)
	}
	f.Close()
	if _, err := f.Poll(t.Context(), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v, want ErrClosed", err)
	}
}
