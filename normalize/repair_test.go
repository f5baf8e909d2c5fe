package normalize_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
)

// gated is a log whose history of some partitions waits.
type gated struct {
	normalizetest.Log
	gate func(ctx context.Context, partition int32) error
}

func (g gated) History(ctx context.Context, p int32, from record.ScanFrom, fn func(int64, []byte) error) (int64, error) {
	if err := g.gate(ctx, p); err != nil {
		return 0, err
	}
	return g.Log.History(ctx, p, from, fn)
}

func gate(f func(ctx context.Context, partition int32) error) func(*normalize.Options) {
	return func(o *normalize.Options) { o.Log = gated{o.Log.(normalizetest.Log), f} }
}

// until waits for a channel to be closed, or for the end.
func until(ctx context.Context, c <-chan struct{}) error {
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fill sends a record to each of n partitions, and returns its events.
func (w *world) fill(id string, n int32) (want []string) {
	for p := range n {
		s := said{Subject: fmt.Sprint(p), ID: fmt.Sprintf("%s-%d", id, p), Text: "x"}
		w.send(p, s)
		want = append(want, s.ID+"/x")
	}
	return want
}

// Partitions that are whole flow while another one is repaired, and readiness names that one.
func TestPartitionsFlowWhileAnotherIsRepaired(t *testing.T) {
	w := newWorld(t, 3)
	want := w.fill("a", 3)
	whole := make(chan struct{})
	p := w.start(0, gate(func(ctx context.Context, p int32) error {
		if p == 1 {
			return until(ctx, whole)
		}
		return nil
	}))
	w.Await("the partitions beside it flow", func() bool { return len(w.events()) == 2 })
	w.fill("b", 3)
	w.Await("they go on flowing", func() bool { return len(w.events()) == 4 })
	err := p.n.Ready()
	if says := "kyc.raw.v1, partition(s) [1]"; !errors.Is(err, normalize.ErrRepairing) || !strings.Contains(err.Error(), says) {
		t.Errorf("readiness says %v, expected that %s is repaired", err, says)
	}
	for _, e := range w.events() {
		if strings.Contains(e, "-1/") {
			t.Errorf("event %s came out of the partition whose marks are not whole", e)
		}
	}
	close(whole)
	w.settle()
	w.Await("the normaliser is ready", func() bool { return p.n.Ready() == nil })
	for n := range int32(3) {
		want = append(want, fmt.Sprintf("b-%d/x", n))
	}
	w.expectEvents(want...)
	w.audit()
}

// Several partitions are repaired at once.
func TestSeveralAreRepairedAtOnce(t *testing.T) {
	const partitions, bound = 12, 4
	w := newWorld(t, partitions)
	want := w.fill("a", partitions)
	var mu sync.Mutex
	running, most, full := map[int32]bool{}, 0, make(chan struct{})
	w.start(0, func(o *normalize.Options) { o.Slots = 3 }, gate(func(ctx context.Context, p int32) error {
		mu.Lock()
		running[p] = true
		if most = max(most, len(running)); most == bound && len(running) == bound {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		mu.Unlock()
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			delete(running, p)
		}()
		return until(ctx, full)
	}))
	w.settle()
	w.expectEvents(want...)
	mu.Lock()
	defer mu.Unlock()
	if most != bound {
		t.Errorf("%d partitions were repaired at once, expected %d", most, bound)
	}
}

// A repair ends with its partition, whose next owner repairs it; and with its process.
func TestARepairEndsWithItsPartition(t *testing.T) {
	w := newWorld(t, 4)
	want := w.fill("a", 4)
	never := make(chan struct{})
	var mu sync.Mutex
	cut := map[int32]bool{}
	first := w.start(0, gate(func(ctx context.Context, p int32) error {
		err := until(ctx, never)
		mu.Lock()
		defer mu.Unlock()
		cut[p] = true
		return err
	}))
	w.Await("the first is a member", func() bool { return errors.Is(first.n.Ready(), normalize.ErrRepairing) })
	w.start(1)
	w.Await("two partitions flow", func() bool { return len(w.events()) == 2 })
	mu.Lock()
	if len(cut) != 2 {
		t.Errorf("the repairs of %v were cut, expected those of the two that went", cut)
	}
	mu.Unlock()
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.expectEvents(want...)
	w.audit()
}

// A flush is repaired partition by partition, too: the others need not wait for the one that takes long.
func TestAFlushHoldsUpOnlyWhatIsRepaired(t *testing.T) {
	w := newWorld(t, 2)
	want := w.fill("a", 2)
	var mu sync.Mutex
	slow := make(chan struct{})
	close(slow)
	p := w.start(0, gate(func(ctx context.Context, p int32) error {
		mu.Lock()
		c := slow
		mu.Unlock()
		if p == 0 {
			return until(ctx, c)
		}
		return nil
	}))
	w.settle()
	mu.Lock()
	slow = make(chan struct{})
	mu.Unlock()
	w.Redis.FlushAll()
	want = append(want, w.fill("b", 2)...)
	w.fill("a", 2) // copies
	w.Await("the partition beside it flows", func() bool { return len(w.events()) == 3 })
	if err := p.n.Ready(); err == nil || !strings.Contains(err.Error(), "partition(s) [0]") {
		t.Errorf("readiness says %v, expected that partition 0 is repaired", err)
	}
	close(slow)
	w.settle()
	w.expectEvents(want...)
	w.audit()
}

var errSick = errors.New("a segment cannot be read")

// A partition whose dispositions cannot be read waits alone, with its cause, and is tried again.
func TestASickPartitionHoldsUpNoOther(t *testing.T) {
	w := newWorld(t, 2)
	want := w.fill("a", 2)
	var mu sync.Mutex
	sick := true
	p := w.start(0, gate(func(_ context.Context, p int32) error {
		mu.Lock()
		defer mu.Unlock()
		if p == 1 && sick {
			return errSick
		}
		return nil
	}))
	w.Await("the other partition flows", func() bool { return len(w.events()) == 1 })
	w.Await("readiness names partition and cause", func() bool {
		err := p.n.Ready()
		return errors.Is(err, errSick) && strings.Contains(err.Error(), w.Sink.Topic(schemas.Raw)+", partition(s) [1]")
	})
	want = append(want, w.fill("b", 1)...)
	w.Await("the other partition goes on", func() bool { return len(w.events()) == 2 })
	mu.Lock()
	sick = false
	mu.Unlock()
	w.settle()
	w.Await("the normaliser is ready", func() bool { return p.n.Ready() == nil })
	w.expectEvents(want...)
	w.audit()
}
