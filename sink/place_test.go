package sink

import (
	"maps"
	"sync"
	"testing"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

// placed opens a session that holds its partitions, and waits until it knows where both are read from.
func placed(t *testing.T, o Options) (*Session, map[int32]record.Place) {
	t.Helper()
	var mu sync.Mutex
	found, all := map[int32]record.Place{}, make(chan struct{})
	so := slot()
	so.OnPlaced = func(at map[int32]record.Place) {
		mu.Lock()
		defer mu.Unlock()
		if maps.Copy(found, at); len(found) == 2 {
			close(all)
		}
	}
	s := openSession(t, o, so)
	select {
	case <-all:
	case <-testContext(t).Done():
		t.Fatal("the places of the partitions were never told")
	}
	return s, found
}

// move seeks, which works once the session has taken its partitions up.
func move(t *testing.T, s *Session, partition int32, offset int64) {
	t.Helper()
	for ctx := testContext(t); !s.Seek(partition, offset); {
		if _, err := s.Poll(ctx, 1); err != nil || ctx.Err() != nil {
			t.Fatalf("partition %d could not be moved: %v", partition, err)
		}
	}
}

// An offset that no session committed is known for one, and nothing is passed over for it.
func TestPlacesTellWhoSetAnOffset(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		appendRaw(t, o, 20)
		reader := openReader(t, o)
		ends, err := reader.Ends(testContext(t), schemas.Raw)
		if err != nil {
			t.Fatal(err)
		}
		expect := func(what string, found map[int32]record.Place, want func(p int32) record.Place) {
			t.Helper()
			for p := range int32(2) {
				if found[p] != want(p) {
					t.Errorf("%s: partition %d is at %+v, want %+v", what, p, found[p], want(p))
				}
			}
		}
		s, found := placed(t, o)
		expect("nothing is committed", found, func(p int32) record.Place {
			return record.Place{Committed: record.Nowhere, End: ends[p]}
		})
		s.Release([]int32{0, 1})
		drain(t, s, 20)
		s.Close()
		s, found = placed(t, o)
		expect("all is committed", found, func(p int32) record.Place { return record.Place{Committed: ends[p]} })
		s.Close()
		if err := reader.Commit(testContext(t), "normalize", schemas.Raw, ends); err != nil {
			t.Fatal(err)
		}
		s, found = placed(t, o)
		expect("somebody else set the same", found, func(p int32) record.Place {
			return record.Place{Committed: ends[p], Foreign: true, End: ends[p]}
		})
		move(t, s, 1, ends[1]-2)
		s.Release([]int32{1})
		for _, attempt := range []string{"at first", "after it was given back"} {
			batch := pollSome(t, s)
			if first := batch[0]; first.Partition != 1 || first.Offset != ends[1]-2 {
				t.Errorf("%s: read from %d of partition %d, want from %d of 1", attempt, first.Offset, first.Partition, ends[1]-2)
			}
			if err := s.Rewind(testContext(t)); err != nil {
				t.Fatal(err)
			}
		}
		s.Hold([]int32{1})
		s.Release([]int32{0})
		if first := pollSome(t, s)[0]; first.Partition != 0 || first.Offset != 0 {
			t.Errorf("read from %d of partition %d, want from the start of the one that is not held", first.Offset, first.Partition)
		}
	})
}
