package normalize

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/record"
)

// TestRecordBesideTheKillerIsNotGivenUp: a record that another slot works on while the process dies is no
// suspect. The killer is in partition 0, and the record of partition 1 stays in hand for as long as the
// killer may come, so it dies as often; only the killer may be buried.
func TestRecordBesideTheKillerIsNotGivenUp(t *testing.T) {
	r := &rig{committed: map[int32]string{}, counts: map[string]int64{}}
	deaths := 0
	for ; len(r.committed) < 2; deaths++ {
		if deaths > 4*maxDeaths {
			t.Fatal("the record kills one process after the other")
		}
		r.live(t)
	}
	if r.committed[0] != "buried" || r.committed[1] != "read" {
		t.Errorf("after %d deaths the killer is %s and the record beside it %s, want buried and read", deaths, r.committed[0], r.committed[1])
	}
	if r.together < maxDeaths {
		t.Errorf("the record beside was in hand at %d deaths, want at least %d: else this test says nothing", r.together, maxDeaths)
	}
}

var errDead = errors.New("the process is dead")

// rig is what outlives a process: a topic with one record in each of two partitions, and the counts of
// attempts.
type rig struct {
	mu        sync.Mutex
	committed map[int32]string // what became of each partition's record
	counts    map[string]int64
	together  int // deaths with both records in hand
}

// life is one process of two slots, each with a partition of its own.
type life struct {
	*rig
	n      *Normalizer
	dying  chan struct{} // the killer is being interpreted
	beside chan struct{} // the other record is in hand
	died   context.Context
}

// live runs a process until it dies, or until all is done.
func (r *rig) live(t *testing.T) {
	died, die := context.WithCancel(t.Context())
	defer die()
	l := &life{rig: r, dying: make(chan struct{}), beside: make(chan struct{}, 1), died: died}
	var err error
	if l.n, err = New(Options{Slots: 2, Sessions: l, Attempts: l, Source: func(int) Source { return &bystander{l} }}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.n.Run(died) }()
	select {
	case <-l.dying:
	case <-l.done():
	}
	if len(l.beside) > 0 {
		r.together++
	}
	die()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// done is closed once both records are committed.
func (l *life) done() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for l.died.Err() == nil {
			if l.reached(0) && l.reached(1) {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	return done
}

// reached reports whether a partition's record is committed.
func (r *rig) reached(partition int32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.committed[partition]
	return ok
}

// Attempts counts in place of Redis, which outlives the process.
func (l *life) Attempts(_ context.Context, over, keys []string) ([]int64, error) {
	if l.died.Err() != nil {
		return nil, errDead
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range over {
		delete(l.counts, key)
	}
	counts := make([]int64, len(keys))
	for i, key := range keys {
		l.counts[key]++
		counts[i] = l.counts[key]
	}
	return counts, nil
}

// Open implements Sessions: slot n has partition n.
func (l *life) Open(_ context.Context, id string, w Watch) (Slot, error) {
	partition := int32(0)
	if strings.HasSuffix(id, "-1") {
		partition = 1
	}
	w.Assigned([]int32{partition})
	return Slot{Session: &singleton{life: l, partition: partition}, Close: func() {}, Refused: func() error { return nil }}, nil
}

// Judge implements Sessions.
func (*life) Judge(error) Trouble { return Reopen }

// singleton is the session of a partition with one record.
type singleton struct {
	*life
	partition int32
	polled    bool
}

func (s *singleton) Poll(ctx context.Context, _ int) ([]*kgo.Record, error) {
	if s.reached(s.partition) || s.polled {
		<-ctx.Done()
		return nil, nil
	}
	s.polled = true
	return []*kgo.Record{{Partition: s.partition}}, nil
}

func (s *singleton) Commit(_ context.Context, out []record.Outgoing) (bool, error) {
	if s.died.Err() != nil {
		return false, errDead
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committed[s.partition] = string(out[0].Value)
	return true, nil
}

func (s *singleton) Rewind(context.Context) error {
	s.polled = false
	return nil
}

func (*singleton) Hold([]int32)           {}
func (*singleton) Release([]int32)        {}
func (*singleton) Seek(int32, int64) bool { return true }

// bystander is a Source whose record of partition 0 kills, and whose other one waits for that.
type bystander struct{ *life }

func (*bystander) Begin() Poll { return Poll{Max: 1} }

func (b *bystander) Take(_ context.Context, in Input, polled []*kgo.Record) (Next, error) {
	if len(polled) == 0 {
		return Idle{}, nil
	}
	as := "read"
	switch r := polled[0]; {
	case in.PoisonPill(r):
		as = "buried"
	case r.Partition == 0:
		b.meet(func() bool { return len(b.beside) > 0 || b.reached(1) })
		close(b.dying)
		<-b.died.Done()
	default:
		b.beside <- struct{}{}
		b.meet(func() bool { return b.died.Err() != nil || b.reached(0) })
		<-b.beside
	}
	read := &Forward{As: as, Records: []record.Outgoing{{Value: []byte(as)}}}
	return Process{Readings: []*Reading{{In: RawRecord{Partition: polled[0].Partition}, Outcome: read}}}, nil
}

// meet waits for the other record, unless it cannot come while this one is in hand, since one of the two
// is tried alone.
func (b *bystander) meet(met func() bool) {
	for !met() && b.n.alone.TryRLock() {
		b.n.alone.RUnlock()
		time.Sleep(time.Millisecond)
	}
}
