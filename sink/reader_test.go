package sink

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

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
