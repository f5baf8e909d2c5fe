package main

import (
	"math"
	"testing"
	"time"
)

// TestSimulateAlone: a slot with plenty of time takes each record alone, and no longer than that.
func TestSimulateAlone(t *testing.T) {
	one := simulate(slotTime{each: time.Millisecond}, 1)
	if one.batch > 1.01 || one.p50 != time.Millisecond || one.p99 > 2*time.Millisecond {
		t.Errorf("one record a second with 1 ms each comes to %+v", one)
	}
}

// TestSimulateBatches: at a high rate the batch is what comes during one transaction, so that
// n = rate * (each + n * record); a record waits for one half of a transaction and then for its own.
func TestSimulateBatches(t *testing.T) {
	slot := slotTime{each: 5 * time.Millisecond, record: 20 * time.Microsecond}
	const rate = 20_000
	n := rate * slot.each.Seconds() / (1 - rate*slot.record.Seconds())
	one := simulate(slot, rate)
	if math.Abs(one.batch-n) > n/20 {
		t.Errorf("%f records in a transaction, expected about %f", one.batch, n)
	}
	want := slot.of(int(n)) * 3 / 2
	if one.p50 < want*9/10 || one.p50 > want*11/10 {
		t.Errorf("p50 is %s, expected about %s", one.p50, want)
	}
}

func TestSimulateOverload(t *testing.T) {
	slot := slotTime{each: 5 * time.Millisecond, record: 100 * time.Microsecond}
	if one := simulate(slot, 10_000); one.p99 != overloaded {
		t.Errorf("more than a slot can do comes to %+v", one)
	}
}

func TestEnoughSlots(t *testing.T) {
	slot := slotTime{each: 10 * time.Millisecond, record: 50 * time.Microsecond}
	slots, one, ok := enoughSlots(slot, 50_000)
	if !ok || one.p99 > promised {
		t.Fatalf("%d slots, %+v", slots, one)
	}
	if fewer := simulate(slot, 50_000/float64(slots-1)); fewer.p99 <= promised {
		t.Errorf("%d slots are said to be the least, one fewer come to %+v", slots, fewer)
	}
	if _, _, ok := enoughSlots(slotTime{each: time.Second}, 500); ok {
		t.Error("transactions of a second are said to keep within 100 ms")
	}
}

func TestBetween(t *testing.T) {
	slot, err := between(6*time.Millisecond, 30*time.Millisecond)
	if err != nil || slot.of(smallBatch) != 6*time.Millisecond || slot.of(batchLimit) != 30*time.Millisecond {
		t.Errorf("the line is %+v, error %v", slot, err)
	}
	if _, err := between(30*time.Millisecond, 30*time.Millisecond); err == nil {
		t.Error("batches of any size that take the same are no error")
	}
}
